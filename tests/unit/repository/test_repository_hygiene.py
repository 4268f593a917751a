"""What must hold of the tracked files themselves."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
OUR_PACKAGES = {"server", "harness", "security", "perf", "backups", "playbooks", "quartermaster"}


def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_there_are_locks() -> None:
    assert {lock.name for lock in LOCKS} >= {"server.txt", "development.txt"}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_distribution_has_hashes_and_no_address(lock: Path) -> None:
    requirements = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert len(requirements) > 10
    for requirement in requirements:
        assert re.match(r"[a-z0-9_.-]+(\[[a-z,]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement
        assert "://" not in requirement, requirement


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_locked_distribution_owns_one_of_our_package_names(lock: Path) -> None:
    names = {match[1].replace("_", "-") for match in re.finditer(r"^([A-Za-z0-9_.-]+)", lock.read_text(), re.MULTILINE)}
    assert not names & OUR_PACKAGES


def test_the_server_lock_is_part_of_the_development_lock() -> None:
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / name).read_text()
        return {line.split(" \\")[0] for line in text.splitlines() if line and not line.startswith(" ")}

    assert pins("server.txt") <= pins("development.txt")


def test_no_file_names_a_package_index_or_a_path_of_one_machine() -> None:
    # Written apart, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(["py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.(org|com)", "/ro" + "ot/"])
    )
    found = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in forbidden.finditer(text)]
    assert not found


def test_there_is_no_init_file_under_tests() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))

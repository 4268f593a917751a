"""`./inv bench` on small repositories of its own, with the real pytest-benchmark: what passes, fails, and must not."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from perf.bench.job import run_bench

OPS = "[bench]\nblocks = {blocks}\nseconds = 0.1\nminimum_rounds = 20\nslower_percent = 10\nvisible_percent = 1000\n"
WORK = "import time\n\n\ndef work():\n    time.sleep({milliseconds} / 1000)\n    return {milliseconds}\n"
"""Takes a known time: what is tested is the judging, and a neighbour on the processor must not decide it."""
BENCHMARK = "from server import work\n\n\ndef test_{name}(benchmark):\n    assert benchmark(work) > {least}\n"
FILE = "tests/benchmarks/test_work_benchmark.py"
FILES = {
    ".gitignore": "/reports/\n__pycache__/\n",
    "waivers.toml": "",
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = ["--import-mode=importlib"]\n',
    "requirements/development.txt": "# as everywhere in this test\n",
    "server/__init__.py": WORK.format(milliseconds=1),
    FILE: BENCHMARK.format(name="work", least=0),
}
GARBAGE = """
import atexit, pathlib, sys

for argument in sys.argv:
    option, _, value = argument.partition("=")
    if option == "--benchmark-json":
        atexit.register(pathlib.Path(value).write_text, "garbage")
"""


class Repository:
    """A repository with one benchmark, whose files a test changes and commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit(FILES)

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, files: Mapping[str, str | None]) -> None:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=Change")

    def bench(self, base: str = "", head: str = "", *, blocks: int = 3) -> int:
        (self.folder / "ops.toml").write_text(OPS.format(blocks=blocks), encoding="utf-8")
        self.git("update-index", "-q", "--refresh")
        return run_bench(base, head, repository=self.folder, environ=os.environ)

    def compare(self, **options: Any) -> int:
        """Compare the newest commit with the one before it."""
        return self.bench("HEAD~1", **options)

    @property
    def checks(self) -> dict[str, dict[str, Any]]:
        (path,) = self.folder.glob("reports/2*/record.json")
        return {check["id"]: check for check in json.loads(path.read_bytes())["checks"]}

    @property
    def statuses(self) -> dict[str, str]:
        return {name: check["status"] for name, check in self.checks.items()}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


CHECK = "test_work_benchmark.py::test_work"


def test_a_server_that_takes_far_longer_fails_and_the_checkout_is_left_alone(repository: Repository) -> None:
    repository.commit({"server/__init__.py": WORK.format(milliseconds=3)})
    before = repository.git("status", "--branch", "--porcelain"), repository.git("rev-parse", "HEAD")

    assert repository.compare(blocks=6) == 1

    assert repository.statuses == {"benchmarks": "passed", "blocks": "passed", CHECK: "failed"}
    after = repository.git("status", "--branch", "--porcelain", "--", ":!ops.toml"), repository.git("rev-parse", "HEAD")
    assert after == before
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_one_revision_against_itself_passes(repository: Repository) -> None:
    assert repository.bench("HEAD", "main") == 0
    assert repository.statuses == {"benchmarks": "passed", "blocks": "passed", CHECK: "passed"}


def test_a_benchmark_that_was_renamed_has_disappeared(repository: Repository) -> None:
    repository.commit({FILE: BENCHMARK.format(name="other", least=0)})
    assert repository.compare() == 1
    assert repository.statuses == {"benchmarks": "failed", "test_work_benchmark.py::test_other": "not_applicable"}


def test_a_head_without_benchmarks_fails(repository: Repository) -> None:
    repository.commit({FILE: None})
    assert repository.compare() == 1
    assert repository.statuses == {"benchmarks": "failed"}


def test_a_base_without_benchmarks_is_inconclusive(repository: Repository) -> None:
    repository.commit({FILE: None})
    repository.commit({FILE: FILES[FILE]})
    assert repository.compare() == 3
    assert "has no tests/benchmarks: there is nothing to compare with" in repository.checks["run"]["reason"]


def test_a_benchmark_whose_own_assertion_fails_is_inconclusive(repository: Repository) -> None:
    other = "tests/benchmarks/test_other_benchmark.py"
    repository.commit({FILE: BENCHMARK.format(name="work", least=10**15), other: FILES[FILE]})
    assert repository.compare() == 3
    assert repository.statuses[CHECK] == "inconclusive"
    assert "did not pass in 6 of 6 processes" in repository.checks[CHECK]["reason"]


def test_a_benchmark_whose_fixture_cannot_be_cleared_away_is_inconclusive(repository: Repository) -> None:
    fixture = "import pytest\n\n\n@pytest.fixture\ndef thing():\n    yield 1\n    raise OSError('still open')\n\n\n"
    (repository.folder / FILE).write_text(fixture + FILES[FILE].replace("(benchmark)", "(benchmark, thing)"), "utf-8")
    assert repository.bench() == 3
    assert repository.statuses == {CHECK: "inconclusive"}


def test_a_benchmark_that_base_cannot_import_is_inconclusive(repository: Repository) -> None:
    other = "tests/benchmarks/test_other_benchmark.py"
    repository.commit({other: FILES[FILE]})
    repository.commit(
        {
            "server/__init__.py": FILES["server/__init__.py"] + "\n\nlater = work\n",
            FILE: "from server import later\n" + FILES[FILE],
        }
    )
    assert repository.compare() == 3
    assert repository.statuses[CHECK] == "inconclusive"
    assert repository.statuses["test_other_benchmark.py::test_work"] == "passed"


def test_a_file_of_benchmarks_that_cannot_be_imported_is_inconclusive(repository: Repository) -> None:
    repository.commit({FILE: "import nowhere\n"})
    assert repository.compare() == 3
    assert "head: pytest did not come to its end" in repository.checks["run"]["reason"]


@pytest.mark.parametrize(
    "files",
    [
        {"tests/benchmarks/conftest.py": GARBAGE},
        {"pyproject.toml": FILES["pyproject.toml"].replace("importlib", 'importlib", "--benchmark-disable')},
        {"pyproject.toml": FILES["pyproject.toml"].replace("importlib", 'importlib", "--benchmark-skip')},
    ],
    ids=["garbage", "disabled", "skipped"],
)
def test_a_report_that_holds_no_figures_is_inconclusive(repository: Repository, files: dict[str, str]) -> None:
    repository.commit(files)
    assert repository.compare() == 3
    assert repository.statuses == {"benchmarks": "passed", "blocks": "inconclusive"}
    assert "pytest-benchmark" in repository.checks["blocks"]["reason"]


def test_alone_the_work_tree_is_measured_as_it_is(repository: Repository) -> None:
    (repository.folder / FILE).write_text(BENCHMARK.format(name="uncommitted", least=0), encoding="utf-8")
    assert repository.bench() == 0
    assert repository.statuses == {"test_work_benchmark.py::test_uncommitted": "passed"}


def test_alone_no_benchmark_at_all_is_inconclusive(repository: Repository) -> None:
    (repository.folder / FILE).unlink()
    assert repository.bench() == 3


@pytest.mark.parametrize(("base", "head"), [("nowhere", ""), ("HEAD", "nowhere"), ("--help", ""), ("", "HEAD")])
def test_a_revision_that_does_not_exist_is_wrong_usage(repository: Repository, base: str, head: str) -> None:
    with pytest.raises(UsageError):
        repository.bench(base, head)
    assert not list(repository.folder.glob("reports/*"))

"""The command lines of README.md and docs/SETUP.md that make secrets and copies, typed more than once."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from harness.process import child_environment
from harness.repository import REPOSITORY


def typed(lines: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What a new shell in that folder says, with this Python first on its path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = child_environment({"PATH": path, "PYTHONPATH": str(REPOSITORY)}, os.environ)
    return subprocess.run(
        ["bash", "-euc", lines], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def block(page: str, heading: str, containing: str) -> str:
    """The one block of code under a heading that contains a text."""
    section = (REPOSITORY / page).read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    fenced = re.findall(r"```shell\n(.*?)```", section, re.DOTALL)
    indented = [re.sub("(?m)^    ", "", found) for found in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)]
    return next(found for found in fenced or indented if containing in found)


def test_the_readme_s_server_can_be_set_up_again_in_another_shell(tmp_path: Path) -> None:
    lines = block("README.md", "## Run the server", "tenant create")
    lines = lines.replace("source .venv/bin/activate\n", "").replace("python -m server serve\n", "")
    assert typed(lines, tmp_path).returncode == 0
    again = typed(lines.replace("acme", "another"), tmp_path)
    assert again.returncode == 0, again.stderr
    assert "opens 0 store keys, 1 tenant key" in again.stdout


def test_the_readme_s_server_has_nothing_of_inv_serve_s() -> None:
    assert "DATABASE_URL=sqlite:///data/own/" in block("README.md", "## Run the server", "migrate")


def test_making_the_secrets_again_leaves_them_as_they_are(tmp_path: Path) -> None:
    lines = block("docs/SETUP.md", "### Secrets and settings", "master_key").partition("cd /opt")[0]
    lines = lines.replace("/etc/quartermaster", str(tmp_path)).replace("-o quartermaster -g quartermaster ", "")
    assert typed(lines, tmp_path).returncode == 0
    made = {name: (tmp_path / name).read_text() for name in ("master_key", "admin_token")}
    assert len(set(made.values())) == 2
    assert typed(lines, tmp_path).returncode == 0
    assert {name: (tmp_path / name).read_text() for name in made} == made


def test_a_backup_can_be_taken_again_and_again(tmp_path: Path, migrated_database: Path) -> None:
    lines = block("docs/SETUP.md", "## Backing up", "VACUUM INTO").replace("cd /var/lib/quartermaster\n", "")
    lines = lines.replace("runuser -u quartermaster -- ", "")
    (tmp_path / "app.db").write_bytes(migrated_database.read_bytes())
    for _ in range(2):
        taken = typed(f"{lines}\nsleep 1.1", tmp_path)  # the name is that of the second
        assert taken.returncode == 0, taken.stderr
    snapshots = list(tmp_path.glob("snapshot-*.db"))
    assert len(snapshots) == 2
    for snapshot in snapshots:
        with closing(sqlite3.connect(snapshot)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from backups.database import find_problems, open_read_only
from backups.errors import BackupError
from backups.restore import restore
from backups.snapshot import PARTIAL
from tests.integration.parts import REPOSITORY

PROGRAM = Path(__file__).with_name("snapshot_program.py")
ROUNDS = 8
ROWS = 10_000
# Longer than a snapshot takes, so that kills fall on every part of one.
LONGEST_SECONDS = 0.4


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """20 MB in WAL mode."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
        connection.execute("CREATE TABLE filling (content)")
        connection.executemany("INSERT INTO filling VALUES (?)", ((bytes(2000),) for _ in range(ROWS)))
    return path


def kill_after(seconds: float, database: Path, destination: Path) -> None:
    command = [sys.executable, str(PROGRAM), str(database), str(destination)]
    environment = {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as taker:
        assert taker.stdout is not None
        assert taker.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            taker.wait(seconds)
        taker.kill()


def test_whenever_it_is_killed_no_incomplete_snapshot_looks_complete(database: Path, tmp_path: Path) -> None:
    dice, destination = random.Random(6), tmp_path / "snapshots"
    for _ in range(ROUNDS):
        kill_after(dice.uniform(0, LONGEST_SECONDS), database, destination)
    found = sorted(destination.iterdir())
    partial = [folder for folder in found if folder.name.startswith(".")]
    complete = [folder for folder in found if folder not in partial]
    assert partial, "no kill fell into a snapshot"
    assert all(folder.name.endswith(PARTIAL) for folder in partial)
    assert complete, "no snapshot was completed"
    for number, folder in enumerate(complete):
        restored = tmp_path / f"restored-{number}.db"
        assert restore(folder, restored).tables == {"alembic_version": 1, "filling": ROWS}
        with open_read_only(restored) as connection:
            assert find_problems(connection) == []
    # The name is not all that keeps them apart: most of them have no manifest yet.
    with pytest.raises(BackupError):
        restore(partial[0], tmp_path / "never.db")

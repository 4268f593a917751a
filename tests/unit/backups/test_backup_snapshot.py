"""Taking a snapshot: what is in it, that it is one moment, and that nothing is left of one that failed."""

import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from backups.database import find_problems, open_read_only, read_contents
from backups.errors import BackupError, DamageError
from backups.manifest import read_manifest
from backups.snapshot import DATABASE_NAME, Snapshot, take_snapshot
from harness.files import digest
from server.storage.tables import HEAD
from tests.unit.backups.specimens import NOW, UPDATES, add_update, writing


def take(database: Path, destination: Path) -> Snapshot:
    return take_snapshot(database, destination, server_version="1.2.3", now=lambda: datetime.now(UTC))


def test_it_is_a_folder_of_the_database_and_its_manifest(snapshot: Snapshot, live: Path) -> None:
    assert snapshot.folder.name == "20261123T010203.456789Z"
    assert [path.name for path in snapshot.folder.parent.iterdir()] == [snapshot.folder.name]
    assert {path.name for path in snapshot.folder.iterdir()} == {"database.sqlite", "manifest.json"}
    with open_read_only(snapshot.folder / DATABASE_NAME) as copy, open_read_only(live) as source:
        assert find_problems(copy) == []
        for table in ("tenants", "writes", "audit", "alembic_version"):
            everything = f"SELECT * FROM {table} ORDER BY 1"
            assert copy.execute(everything).fetchall() == source.execute(everything).fetchall()


def test_its_manifest_says_what_is_in_it(snapshot: Snapshot) -> None:
    manifest = read_manifest(snapshot.folder)
    copy = snapshot.folder / DATABASE_NAME
    assert manifest == snapshot.manifest
    assert (manifest.taken_at, manifest.server_version, manifest.revision) == (NOW, "1.2.3", HEAD)
    assert (manifest.bytes, manifest.sha256) == (copy.stat().st_size, digest(copy))
    assert manifest.tables == {
        "alembic_version": 1,
        "audit": UPDATES,
        "brakes": 0,
        "sqlite_sequence": 1,
        "stores": 0,
        "tenant_keys": 0,
        "tenants": 1,
        "write_leases": 0,
        "writes": UPDATES,
    }
    assert manifest.rows == 2 * UPDATES + 3


def test_only_its_owner_can_enter_it(snapshot: Snapshot) -> None:
    assert snapshot.folder.stat().st_mode & 0o077 == 0


def test_names_are_in_utc_and_sort_by_time(live: Path, tmp_path: Path) -> None:
    times = [NOW, NOW.astimezone(timezone(timedelta(hours=9))) + timedelta(microseconds=1)]
    taken = [take_snapshot(live, tmp_path / "out", server_version=None, now=iter((at,)).__next__) for at in times]
    assert sorted(taken, key=lambda each: each.folder.name) == taken


def test_each_is_one_moment_of_a_database_under_writes(live: Path, tmp_path: Path) -> None:
    stop, written = threading.Event(), [UPDATES]

    def write() -> None:
        with closing(sqlite3.connect(live, timeout=10)) as connection:
            connection.execute("PRAGMA synchronous=OFF")
            while not stop.is_set():
                with connection:
                    add_update(connection, written[0])
                written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        commits = 0
        for _ in range(20):
            before = written[0]
            snapshot = take(live, tmp_path / "out")
            commits += written[0] - before
            tables = snapshot.manifest.tables
            assert tables["writes"] == tables["audit"], "one transaction, one half of it"
            assert before <= tables["writes"] <= written[0] + 1
    finally:
        stop.set()
        writer.join()
    assert commits > 20, "the writer wrote nothing meanwhile"


def test_a_table_whose_name_needs_quoting_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "odd name?#.db"
    with writing(path) as connection:
        connection.execute('CREATE TABLE "a ""b"" --" (x)')
        connection.execute('INSERT INTO "a ""b"" --" VALUES (1)')
    with open_read_only(path) as connection:
        assert read_contents(connection).tables == {'a "b" --': 1}


def test_a_database_without_a_schema_is_not_backed_up(tmp_path: Path) -> None:
    (tmp_path / "app.db").touch()
    with pytest.raises(DamageError, match="no schema: there is nothing to back up"):
        take(tmp_path / "app.db", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="unable to open") as caught:
        take(tmp_path / "app.db", tmp_path / "out")
    assert not isinstance(caught.value, DamageError)
    assert not (tmp_path / "app.db").exists()
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_database_is_said_to_be_damaged(live: Path, tmp_path: Path) -> None:
    content = bytearray(live.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    live.write_bytes(content)
    with pytest.raises(DamageError):
        take(live, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_destination_that_cannot_be_written_is_named(live: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file in its place")
    with pytest.raises(BackupError, match=r"cannot write a snapshot to .*/out: File exists"):
        take(live, tmp_path / "out")


def test_what_another_run_is_making_is_not_touched(live: Path, snapshot: Snapshot) -> None:
    destination = snapshot.folder.parent
    partial = destination / f".{snapshot.folder.name}.partial"
    shutil.copytree(snapshot.folder, partial)
    with pytest.raises(BackupError, match="File exists"):
        take_snapshot(live, destination, server_version=None, now=lambda: NOW)
    assert (partial / DATABASE_NAME).is_file()
    assert (snapshot.folder / DATABASE_NAME).is_file()

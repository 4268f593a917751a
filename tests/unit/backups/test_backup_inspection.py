"""The layers behind the checksum: each is shown a database that was altered and sealed again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from backups.inspection import inspect
from backups.restore import restore
from backups.snapshot import DATABASE_NAME, Snapshot
from backups.traffic import Acknowledged
from harness.collector import Run
from server.storage.tables import HEAD
from tests.unit.backups.specimens import ACKNOWLEDGED, request_id, reseal, writing

Verdicts = dict[str, tuple[str, str]]


@pytest.fixture
def look(run: Run, snapshot: Snapshot, tmp_path: Path) -> Callable[[], Verdicts]:
    """Restore what is in the snapshot's folder now, and return each step's status and reason."""

    def look() -> Verdicts:
        manifest = restore(snapshot.folder, tmp_path / "restored.db")
        inspect(run, tmp_path / "restored.db", manifest, ACKNOWLEDGED)
        return {check.id.removeprefix("backup."): (check.status, check.reason) for check in run.checks}

    return look


def alter(snapshot: Snapshot, *statements: str) -> None:
    """Change the snapshot's database by SQL, and seal it again."""
    with writing(snapshot.folder / DATABASE_NAME) as connection:
        for statement in statements:
            connection.execute(statement)
    reseal(snapshot.folder)


def found(verdicts: Verdicts) -> dict[str, str]:
    return {name: reason for name, (status, reason) in verdicts.items() if status == "failed"}


def test_a_sound_snapshot_passes(run: Run, look: Callable[[], Verdicts]) -> None:
    assert look() == dict.fromkeys(("intact", "contents", "acknowledged"), ("passed", ""))
    assert all(check.examined for check in run.checks)


def test_a_sound_snapshot_sealed_again_passes(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    reseal(snapshot.folder)
    assert found(look()) == {}


def test_a_deleted_row_is_found_by_its_count(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    alter(snapshot, "DELETE FROM tenants")
    reasons = found(look())
    assert reasons["contents"] == "tenants: 0 rows, the manifest says 1 rows"
    assert "row 1 of writes refers to a row of tenants that is not there" in reasons["intact"]


def test_a_dropped_table_and_an_added_one_are_found(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    alter(snapshot, "DROP TABLE stores", "CREATE TABLE extra (x)")
    reason = found(look())["contents"]
    assert "stores: no such table, the manifest says 0 rows" in reason
    assert "extra: 0 rows, the manifest says no such table" in reason


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_an_older_or_newer_revision_is_found(snapshot: Snapshot, look: Callable[[], Verdicts], revision: str) -> None:
    alter(snapshot, f"UPDATE alembic_version SET version_num = '{revision}'")
    assert found(look()) == {"contents": f"its schema is at revision {revision}, the manifest says {HEAD}"}


def test_an_empty_database_fails_every_layer(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    database = snapshot.folder / DATABASE_NAME
    database.unlink()
    with writing(database) as connection:
        connection.execute("CREATE TABLE passing (x)")
        connection.execute("DROP TABLE passing")
    reseal(snapshot.folder)
    verdicts = look()
    assert "its schema is at revision None" in verdicts["contents"][1]
    assert "audit: no such table" in verdicts["contents"][1]
    assert verdicts["contents"][0] == "failed"
    assert verdicts["acknowledged"][0] == "inconclusive"


def test_a_broken_page_is_found_by_sqlite(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    database = snapshot.folder / DATABASE_NAME
    content = bytearray(database.read_bytes())
    content[-4096:] = bytes(4096)
    database.write_bytes(content)
    reseal(snapshot.folder)
    assert "intact" in found(look())


def test_a_file_that_is_no_database_fails(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    (snapshot.folder / DATABASE_NAME).write_bytes(b"not a database at all" * 1000)
    reseal(snapshot.folder)
    assert set(found(look())) == {"intact", "contents", "acknowledged"}


def test_a_row_missing_from_an_index_is_found_by_sqlite(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    with writing(snapshot.folder / DATABASE_NAME) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        ((definition,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'ix_audit_at'").fetchall()
        narrower = f"{definition} WHERE at < 0"
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'ix_audit_at'", (narrower,))
    with writing(snapshot.folder / DATABASE_NAME) as connection:
        connection.execute("REINDEX ix_audit_at")
    alter(
        snapshot,
        "PRAGMA writable_schema=ON",
        f"UPDATE sqlite_schema SET sql = '{definition}' WHERE name = 'ix_audit_at'",
    )
    assert "missing from index ix_audit_at" in found(look())["intact"]


def test_an_acknowledged_update_that_is_not_in_it_is_found(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    lost = request_id(7)
    alter(
        snapshot,
        f"UPDATE writes SET request_id = 'other' WHERE request_id = '{lost}'",
        f"UPDATE audit SET request_id = 'other' WHERE request_id = '{lost}'",
    )
    reason = found(look())["acknowledged"]
    assert "1 updates that were acknowledged before are not in it as done: request-7" in reason
    assert "1 updates that were acknowledged before have no audit row in it: request-7" in reason


def test_an_update_that_is_in_it_by_half_is_found(snapshot: Snapshot, look: Callable[[], Verdicts]) -> None:
    # Not acknowledged before, so it need not be in it; but its audit row is, and that is committed last.
    alter(
        snapshot,
        "INSERT INTO audit (at, tenant_id, key_id, request_id, tool, status, duration_ms)"
        " VALUES (1, 't_1', 'k_1', 'late', 'orders_update', 'success', 1)",
    )
    reasons = found(look())
    assert reasons["acknowledged"].startswith("1 later updates have an audit row in it, but not their outcome: late")


def test_without_an_acknowledged_update_nothing_is_shown(run: Run, snapshot: Snapshot, tmp_path: Path) -> None:
    manifest = restore(snapshot.folder, tmp_path / "restored.db")
    inspect(run, tmp_path / "restored.db", manifest, Acknowledged(frozenset(), frozenset()))
    assert [check.status for check in run.checks] == ["passed", "passed", "inconclusive"]

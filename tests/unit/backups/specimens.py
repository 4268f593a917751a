"""Databases and snapshots to spoil: the server's real schema, a few tenants, and updates that were acknowledged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from backups.manifest import MANIFEST_NAME, dump_manifest, read_manifest
from backups.snapshot import DATABASE_NAME
from backups.traffic import Acknowledged
from harness.files import digest

NOW = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)
UPDATES = 300


def request_id(number: int) -> str:
    return f"request-{number}"


ACKNOWLEDGED = Acknowledged(
    before=frozenset(request_id(number) for number in range(UPDATES)), later=frozenset({"late", "later"})
)


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection whose work is committed when the block ends; foreign keys are not enforced."""
    with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
        yield connection


def add_update(connection: sqlite3.Connection, number: int) -> None:
    """What the server keeps of an update that it acknowledged."""
    connection.execute(
        "INSERT INTO writes (id, tenant_id, store_id, tool, target, arguments_digest, state, sealed_result, request_id,"
        " created_at) VALUES (?, 't_1', '20101', 'orders_update', '1', ?, 'done', ?, ?, 1)",
        (f"w_{number}", bytes(32), bytes(500), request_id(number)),
    )
    connection.execute(
        "INSERT INTO audit (at, tenant_id, key_id, request_id, tool, status, duration_ms)"
        " VALUES (1, 't_1', 'k_1', ?, 'orders_update', 'success', 1)",
        (request_id(number),),
    )


def fill(path: Path) -> None:
    """A tenant with its updates."""
    with writing(path) as connection:
        connection.execute("INSERT INTO tenants (id, name, created_at) VALUES ('t_1', 'One', 1)")
        for number in range(UPDATES):
            add_update(connection, number)


def reseal(snapshot: Path, **changes: object) -> None:
    """Make the manifest agree with the file again in size and SHA-256: the checksums are out of the way."""
    database = snapshot / DATABASE_NAME
    sealed = {"bytes": database.stat().st_size, "sha256": digest(database), **changes}
    content = dump_manifest(read_manifest(snapshot).model_copy(update=sealed))
    (snapshot / MANIFEST_NAME).write_bytes(content)

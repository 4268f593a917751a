"""Everything that is held about a tenant, as one JSON document written row by row."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import or_, select

from server.clock import now_milliseconds
from server.storage.tables import audit, brakes, stores, tenant_keys, writes
from server.tenancy.lookup import RefusedError
from server.tenancy.vault import VaultError

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.tenancy.lookup import TenantRow
    from server.writes.ledger import WriteLedger

# What proves an identity, and what opens another service, is nobody's to hand out.
LEFT_OUT: Final = frozenset({"secret_hash", "sealed_api_key", "sealed_plan", "sealed_result", "arguments_digest"})
# Long tables as their indexes have them, which spares a sort.
ORDERS: Final = {"writes": (writes.c.created_at, writes.c.id), "audit": (audit.c.at, audit.c.id)}
OPENED: Final = {"plan": "sealed_plan", "result": "sealed_result"}


async def export(connection: AsyncConnection, ledger: WriteLedger, tenant: TenantRow, path: Path) -> dict[str, int]:
    """Write the document to a new file that only its owner can read; it appears whole or not at all.

    Returns the rows by table, and under "unreadable" the plans and results that open under no master key (null in the
    document). Raises RefusedError when the file exists, OSError when it cannot be written. Times are in milliseconds
    since the epoch.
    """
    with _new_file(path) as file:
        return await _write(connection, ledger, tenant, file)


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    if path.exists():
        raise RefusedError(f"{path} exists; name a new file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # unlike a renaming, this replaces nothing
    except FileExistsError:
        raise RefusedError(f"{path} exists; name a new file") from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


async def _write(
    connection: AsyncConnection, ledger: WriteLedger, tenant: TenantRow, file: IO[bytes]
) -> dict[str, int]:
    counts = {"unreadable": 0}
    head = {
        "exported_at": now_milliseconds(),
        "tenant": {"id": tenant.id, "name": tenant.name, "created_at": tenant.created_at},
    }
    file.write(orjson.dumps(head)[:-1])
    of_store = select(stores.c.id).where(stores.c.tenant_id == tenant.id)
    held = or_(
        (brakes.c.scope == "tenant") & (brakes.c.subject == tenant.id),
        (brakes.c.scope == "store") & brakes.c.subject.in_(of_store),
    )
    for name, table, condition in (
        ("keys", tenant_keys, tenant_keys.c.tenant_id == tenant.id),
        ("stores", stores, stores.c.tenant_id == tenant.id),
        ("brakes", brakes, held),
        ("writes", writes, writes.c.tenant_id == tenant.id),
        ("audit", audit, audit.c.tenant_id == tenant.id),
    ):
        file.write(f',\n"{name}":['.encode())
        counts[name] = 0
        async for row in _rows(connection, ledger, table, condition, counts):
            file.write((b",\n" if counts[name] else b"\n") + orjson.dumps(row))
            counts[name] += 1
        file.write(b"]")
    file.write(b"}\n")
    return counts


async def _rows(
    connection: AsyncConnection, ledger: WriteLedger, table: Table, condition: Any, counts: dict[str, int]
) -> AsyncIterator[dict[str, Any]]:
    async with connection.stream(
        select(table).where(condition).order_by(*ORDERS.get(table.name, table.primary_key.columns))
    ) as rows:
        async for row in rows:
            shown = {str(name): value for name, value in row._asdict().items() if name not in LEFT_OUT}
            if table is writes:
                for name, column in OPENED.items():
                    try:
                        shown[name] = ledger.opened(row, column) or None
                    except VaultError:
                        shown[name] = None
                        counts["unreadable"] += 1
            yield shown

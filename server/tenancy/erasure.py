"""Erasure of a tenant: every row of it in one transaction, and its content gone from the database's files."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select

from server.audit import FLUSH_SECONDS, record_operator
from server.brakes import MAX_AGE_SECONDS, Brake, pull
from server.clock import now_milliseconds
from server.storage.tables import audit, brakes, stores, tenant_keys, tenants, writes
from server.tenancy.lookup import RefusedError
from server.writes.ledger import INTENT

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database
    from server.tenancy.lookup import TenantRow

POLL_SECONDS: Final = 0.1
CHECKPOINT_SECONDS: Final = 15.0


async def suspend_for_erasure(database: Database, tenant: TenantRow, deadline_seconds: float) -> None:
    """Suspend the tenant, and return when no call of it can change anything here any more.

    Raises RefusedError where a write is under way for longer than `deadline_seconds` allow.
    """
    async with database.write() as connection:
        await pull(connection, Brake("tenant", tenant.id, "suspended", "it is being erased"))
        await record_operator(connection, "tenant.suspend", tenant_id=tenant.id)
    # Servers hear of it, and write the audit rows that they have queued.
    await asyncio.sleep(MAX_AGE_SECONDS + 2 * FLUSH_SECONDS)
    horizon = now_milliseconds() - round(deadline_seconds * 1000)
    under_way = select(func.count()).where(
        writes.c.tenant_id == tenant.id, writes.c.state == INTENT, writes.c.created_at > horizon
    )
    until = time.monotonic() + deadline_seconds
    while True:
        async with database.read() as connection:
            if (await connection.execute(under_way)).scalar_one() == 0:
                return
        if time.monotonic() > until:
            raise RefusedError(f"tenant {tenant.name} is suspended, but a write of it is under way; try again")
        await asyncio.sleep(POLL_SECONDS)


async def erase(connection: AsyncConnection, tenant: TenantRow) -> dict[str, int]:
    """Delete every row of the tenant in the caller's transaction; returns how many, by table.

    One audit row is left: that the operator erased the tenant of this id.
    """
    of_store = select(stores.c.id).where(stores.c.tenant_id == tenant.id)
    erased = {
        "brakes": delete(brakes).where(
            ((brakes.c.scope == "tenant") & (brakes.c.subject == tenant.id))
            | ((brakes.c.scope == "store") & brakes.c.subject.in_(of_store))
        ),
        "writes": delete(writes).where(writes.c.tenant_id == tenant.id),
        "stores": delete(stores).where(stores.c.tenant_id == tenant.id),
        "tenant_keys": delete(tenant_keys).where(tenant_keys.c.tenant_id == tenant.id),
        "audit": delete(audit).where(audit.c.tenant_id == tenant.id),
        "tenants": delete(tenants).where(tenants.c.id == tenant.id),
    }
    counts = {name: (await connection.execute(statement)).rowcount for name, statement in erased.items()}
    await record_operator(connection, "tenant.erase", tenant_id=tenant.id)
    return counts


async def empty_log(database: Database) -> bool:
    """Bring the write-ahead log into the database and truncate it; returns whether that could be done in time.

    Deleted content is overwritten in the database itself (secure_delete), but the log would keep it for a while.
    """
    until = time.monotonic() + CHECKPOINT_SECONDS
    async with database.connect() as connection:
        await connection.execution_options(transaction=None)
        while True:
            busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).one()[0]
            if not busy or time.monotonic() > until:
                return not busy
            await asyncio.sleep(POLL_SECONDS)

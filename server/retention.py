"""Retention: audit rows and settled writes are deleted when they are old enough, in the background of a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from server.audit import OPERATOR
from server.clock import now_milliseconds
from server.storage.tables import audit, brakes, tenants, writes
from server.writes.ledger import DONE, FAILED

if TYPE_CHECKING:
    from sqlalchemy import Column, Select, Table

    from server.storage.database import Database
    from server.telemetry.logging import Logger
    from server.telemetry.metrics import Metrics

DAY_MILLISECONDS: Final = 24 * 3600 * 1000
EVERY_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 60.0
BATCH: Final = 500
SETTLED: Final = (DONE, FAILED)

# Rows of tenants that were erased while a call of theirs was under way. The index is skipped through, not read whole.
ERASED_TENANTS: Final = text(
    "WITH RECURSIVE seen(id) AS (SELECT min(tenant_id) FROM audit UNION ALL "
    "SELECT (SELECT min(tenant_id) FROM audit WHERE tenant_id > seen.id) FROM seen WHERE seen.id IS NOT NULL) "
    "SELECT id FROM seen WHERE id <> '' AND id NOT IN (SELECT id FROM tenants)"
)


class Retention:
    """Deletes what is too old, at its start and then hourly. `now` tells milliseconds since the epoch."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        logger: Logger,
        *,
        audit_days: int,
        write_days: int,
        now: Callable[[], int] = now_milliseconds,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._database = database
        self._logger = logger
        self._audit_days = audit_days
        self._write_days = write_days
        self._now = now
        self._every_seconds = every_seconds
        self._removed = {name: metrics.retention_removed.labels(name) for name in ("audit", "writes", "brakes")}
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End after the batch under way."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def sweep(self) -> None:
        """Delete what is too old now. Writes whose outcome is not known are kept, and logged."""
        now = self._now()
        await self._delete(audit, audit.c.id, audit.c.at < now - self._audit_days * DAY_MILLISECONDS)
        horizon = now - self._write_days * DAY_MILLISECONDS
        # By tenant and time, as they are indexed.
        old = writes.c.tenant_id.in_(select(tenants.c.id)) & (writes.c.created_at < horizon)
        settled = writes.c.state.in_(SETTLED) & (func.coalesce(writes.c.settled_at, writes.c.created_at) < horizon)
        await self._delete(writes, writes.c.id, old & settled)
        async with self._database.read() as connection:
            count = select(func.count()).select_from(writes).where(old, writes.c.state.not_in(SETTLED))
            kept = (await connection.execute(count)).scalar_one()
            erased = (await connection.execute(ERASED_TENANTS)).scalars().all()
        if kept:
            self._logger.warning("retention.unsettled_writes_kept", writes=kept)
        for tenant_id in erased:
            await self._delete(audit, audit.c.id, (audit.c.tenant_id == tenant_id) & (audit.c.key_id != OPERATOR))
        async with self._database.write() as connection:
            over = await connection.execute(delete(brakes).where(brakes.c.expires_at <= now))
        self._removed["brakes"].inc(over.rowcount)

    async def _delete(self, table: Table, key: Column[Any], condition: Any) -> None:
        """Delete in short transactions, found before the database is locked, with as long a pause after each."""
        found: Select[Any] = select(key).where(condition).limit(BATCH)
        while not self._stopping.is_set():
            async with self._database.read() as connection:
                ids = (await connection.execute(found)).scalars().all()
            if not ids:
                return
            started = time.monotonic()
            removed = await self._delete_batch(table, key, ids)
            self._removed[table.name].inc(removed)
            await asyncio.sleep(time.monotonic() - started)

    async def _delete_batch(self, table: Table, key: Column[Any], ids: Iterable[Any]) -> int:
        async with self._database.write() as connection:
            return (await connection.execute(delete(table).where(key.in_(ids)))).rowcount

    async def _run(self) -> None:
        while not self._stopping.is_set():
            wait = self._every_seconds
            try:
                await self.sweep()
            except SQLAlchemyError as error:
                self._logger.error("retention.failed", error=type(error).__name__)
                wait = min(wait, AGAIN_SECONDS)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)

"""The audit log: a row for every tool call, in batches; that of a write to OrderDesk is committed with its intent."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from server.clock import now_milliseconds
from server.storage.tables import audit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database
    from server.telemetry.logging import Logger
    from server.telemetry.metrics import Metrics
    from server.writes.ledger import Write

FLUSH_SECONDS: Final = 0.5
BATCH_ROWS: Final = 2_000
QUEUE_ROWS: Final = 200_000

# One statement and one JSON array for the whole batch: measured at 0.5 to 0.75 of executemany's cost.
COLUMNS: Final = (
    "at", "tenant_id", "key_id", "request_id", "tool", "store_id", "target", "status", "error_code", "duration_ms"
)  # fmt: skip
INSERT: Final = text(
    f"INSERT INTO audit ({', '.join(COLUMNS)}) SELECT "  # noqa: S608 - the names are the constants above
    + ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(COLUMNS)))
    + " FROM json_each(:rows)"
)

AuditRow = tuple[int, str, str, str, str, str | None, str | None, str, str | None, int]
"""The values of COLUMNS: `at` in milliseconds since the epoch, `status` success or error."""

STARTED: Final = "started"
OPERATOR: Final = "operator"


async def begin(connection: AsyncConnection, write: Write, write_id: str) -> None:
    """Add the row of a write that is about to be sent, in the transaction that commits its intent."""
    await connection.execute(
        insert(audit).values(
            at=now_milliseconds(),
            tenant_id=write.tenant_id,
            key_id=write.key_id,
            request_id=write.request_id,
            tool=write.tool,
            store_id=write.store_id,
            target=write.target,
            status=STARTED,
            duration_ms=0,
            write_id=write_id,
        )
    )


async def settle(connection: AsyncConnection, write_id: str, error_code: str | None) -> None:
    """Complete a write's row, in the transaction that commits its outcome."""
    await connection.execute(
        update(audit)
        .where(audit.c.write_id == write_id)
        .values(
            status="success" if error_code is None else "error",
            error_code=error_code,
            duration_ms=now_milliseconds() - audit.c.at,
        )
    )


async def record_operator(
    connection: AsyncConnection,
    action: str,
    *,
    tenant_id: str = "",
    store_id: str | None = None,
    target: str | None = None,
) -> None:
    """Add the row of an operator's command, in the transaction that carries it out; `action` is such as key.revoke."""
    await connection.execute(
        insert(audit).values(
            at=now_milliseconds(),
            tenant_id=tenant_id,
            key_id=OPERATOR,
            request_id=secrets.token_hex(8),
            tool=action,
            store_id=store_id,
            target=target,
            status="success",
            duration_ms=0,
        )
    )


class Audit:
    """Queues rows and writes them. Refused by the database, rows wait; beyond QUEUE_ROWS the oldest are lost."""

    def __init__(self, database: Database, metrics: Metrics, logger: Logger) -> None:
        self._database = database
        self._logger = logger
        self._dropped = metrics.audit_dropped
        self._rows: deque[AuditRow] = deque()
        metrics.audit_waiting.set_function(lambda: len(self._rows))
        self._flushing = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to flush in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, by: float) -> int:
        """Write what is queued and end; returns how many rows the database refused until `by` (monotonic clock).

        A flush under way is let finish: cut short, nobody would know what it wrote.
        """
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        while True:
            try:
                await self.flush()
            except SQLAlchemyError as error:
                left = by - time.monotonic()
                if left <= 0:
                    self._logger.error("audit.rows_lost", rows=len(self._rows), error=_reason(error))
                    return len(self._rows)
                await asyncio.sleep(min(left, FLUSH_SECONDS))
            else:
                if not self._rows:
                    return 0

    def record(self, row: AuditRow) -> None:
        """Queue a row."""
        if len(self._rows) >= QUEUE_ROWS:
            self._rows.popleft()
            self._dropped.inc()
        self._rows.append(row)
        if len(self._rows) == BATCH_ROWS:
            self._wake.set()

    async def flush(self) -> None:
        """Return when every row queued before the call is committed. Raises what the database raised.

        Rows that come meanwhile are left to the next flush: under load there are always some, and to write them too
        would be a transaction for every few of them, without end.
        """
        async with self._flushing:
            waiting = len(self._rows)
            while waiting:
                batch = [self._rows.popleft() for _ in range(min(BATCH_ROWS, waiting))]
                waiting -= len(batch)
                try:
                    async with self._database.write() as connection:
                        await connection.execute(INSERT, {"rows": orjson.dumps(batch).decode()})
                except BaseException:
                    self._rows.extendleft(reversed(batch))
                    raise

    async def flushed_within(self, seconds: float) -> bool:
        """Whether every row queued before the call is committed, waiting `seconds` at most; the flush goes on."""
        if self._database.was_locked_within(seconds):
            return False  # whoever asks has waited for the lock already
        flush = asyncio.ensure_future(self.flush())
        flush.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({flush}, timeout=seconds)
        return flush.done() and flush.exception() is None

    async def _run(self) -> None:
        refused = False
        while not self._stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), FLUSH_SECONDS)
            self._wake.clear()
            try:
                await self.flush()
            except SQLAlchemyError as error:
                if not refused:  # one line for a trouble that may last: the log may be on the disk that is full
                    self._logger.error("audit.flush_failed", error=_reason(error), waiting=len(self._rows))
                refused = True
            else:
                refused = False


def _reason(error: SQLAlchemyError) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else type(error).__name__

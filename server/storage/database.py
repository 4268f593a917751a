"""Connections to the embedded SQLite database: WAL, foreign keys, honest durability, and timings of every statement."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from server.storage import tables
from server.telemetry.metrics import Metrics

POOL_SIZE = 5
# Every pragma is set on every connection: WAL lets readers go on beside the writer, FULL makes a
# committed intent survive a power cut, the busy time-out queues writers instead of failing them.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)
OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "PRAGMA"})


def driver_url(database_url: str) -> str:
    """The SQLAlchemy URL with the asynchronous driver named; creates the folder of a SQLite file."""
    url = make_url(database_url)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url.set(drivername="sqlite+aiosqlite").render_as_string(hide_password=False)


class Database:
    """A pool of connections. `read()` and `write()` are transactions; a write takes SQLite's lock at its start."""

    def __init__(self, database_url: str, metrics: Metrics) -> None:
        self._metrics = metrics
        self.engine = create_async_engine(
            driver_url(database_url),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=5,
        )
        self.path = Path(make_url(database_url).database or "")
        metrics.database_pool_size.set(POOL_SIZE)
        metrics.database_pool_available.set_function(self._available)
        self._observe(self.engine.sync_engine)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A read transaction."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed when the block ends, rolled back when it raises."""
        async with self.engine.connect() as connection:
            await connection.execution_options(write=True)
            async with connection.begin():
                yield connection

    async def revision(self) -> str | None:
        """The migration that the database stands at; None for an empty one."""
        try:
            async with self.read() as connection:
                return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        except OperationalError as error:
            if "no such table" in str(error):
                return None
            raise

    async def ping(self) -> None:
        """Read from a real table; raises when the database cannot answer."""
        async with self.read() as connection:
            await connection.execute(select(tables.tenants.c.id).limit(1))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def _available(self) -> float:
        pool = self.engine.sync_engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)
        return POOL_SIZE - pool.checkedout()

    def _observe(self, engine: Any) -> None:
        opened = self._metrics.database_connections.labels("open")
        closed = self._metrics.database_connections.labels("close")
        durations = {
            name: self._metrics.database_query_duration.labels(name.lower()) for name in (*OPERATIONS, "OTHER")
        }

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            opened.inc()
            connection.isolation_level = None  # we say BEGIN ourselves, below
            cursor = connection.cursor()
            for pragma in PRAGMAS:
                cursor.execute(pragma)
            cursor.close()

        @event.listens_for(engine, "close")
        def _close(_connection: Any, _record: Any) -> None:
            closed.inc()

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:
            write = connection.get_execution_options().get("write")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

        @event.listens_for(engine, "before_cursor_execute")
        def _before(_c: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
            if context is not None:
                context.started = time.perf_counter()

        @event.listens_for(engine, "after_cursor_execute")
        def _after(_c: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
            if context is not None:
                operation = statement.lstrip().split(None, 1)[0].upper()
                kind = operation if operation in OPERATIONS else "OTHER"
                durations[kind].observe(time.perf_counter() - context.started)

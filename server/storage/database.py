"""Connections to the embedded SQLite database: WAL, foreign keys, honest durability, and timings of every statement."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import event, select, text
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from server.storage import tables
from server.telemetry.metrics import Metrics

POOL_SIZE = 5
BUSY_MILLISECONDS = 2_000
PROBE_MILLISECONDS = 1_000
# The audit's rows are tried again all the time while they wait, so a trouble that lasts is never older.
REFUSAL_SECONDS = 5
REOPENING_EVERY_SECONDS = 1.0
REOPENING_WAIT_SECONDS = 1.0
# Every pragma is set on every connection: WAL lets readers go on beside the writer, FULL makes a
# committed intent survive a power cut, the busy time-out queues writers instead of failing them, and what is
# deleted is overwritten.
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={BUSY_MILLISECONDS}",
    "PRAGMA secure_delete=ON",
)
BEGIN_WRITE = "BEGIN IMMEDIATE"
OPERATIONS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "PRAGMA"})


def driver_url(path: Path) -> URL:
    """The SQLAlchemy URL of a database that exists: without mode=rw, SQLite would make an empty one in its place."""
    return URL.create("sqlite+aiosqlite", database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})


def _code(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 where the error is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Database:
    """A pool of connections. `read()` and `write()` are transactions; a write takes SQLite's lock at its start."""

    def __init__(self, database_url: str, metrics: Metrics) -> None:
        self._metrics = metrics
        self.path = Path(make_url(database_url).database or "").absolute()
        self._opened: tuple[int, int] | None = None
        self._writing = asyncio.Lock()
        self._locked_at = float("-inf")
        self._refused: tuple[float, str] | None = None
        self._reopened_at = float("-inf")
        self._open = asyncio.Event()
        self._open.set()
        self._commit_duration = metrics.database_query_duration.labels("commit")
        self.engine = create_async_engine(
            driver_url(self.path),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=5,
            hide_parameters=True,  # an error must not carry a customer's data into the log
        )
        metrics.database_pool_size.set(POOL_SIZE)
        metrics.database_pool_available.set_function(lambda: POOL_SIZE - self._in_use())
        event.listen(self.engine.sync_engine, "handle_error", self._notice_read_only)
        self._observe(self.engine.sync_engine)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection, without a transaction until it executes something; `read` and `write` are what most need."""
        if not self._open.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._open.wait(), REOPENING_WAIT_SECONDS)
        try:
            with ExitStack() as waiting:
                waiting.enter_context(self._metrics.database_pool_waiting.track_inprogress())
                async with self.engine.connect() as connection:
                    waiting.close()
                    yield connection
        finally:
            if not self._open.is_set() and not self._in_use():
                await self._reopen()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A read transaction."""
        async with self.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction: committed when the block ends, rolled back when it raises.

        Where another program keeps the database locked, OperationalError is raised within BUSY_MILLISECONDS, however
        many writes wait.
        """
        asked = time.monotonic()
        # SQLite has one writer: those who wait for it must not hold the connections that readers need.
        async with self._writing:
            if asked <= self._locked_at:  # the one before waited in vain, and to wait as long again would add up
                raise OperationalError(BEGIN_WRITE, None, sqlite3.OperationalError("database is locked"))
            try:
                async with self.connect() as connection:
                    await connection.execution_options(transaction=BEGIN_WRITE)
                    async with connection.begin() as transaction:
                        yield connection
                        await self._commit(transaction)
                self._refused = None
            except OperationalError as error:
                self._refused = (time.monotonic(), str(error.orig))
                if _code(error.orig) == sqlite3.SQLITE_BUSY:
                    self._locked_at = time.monotonic()
                raise

    def was_locked_within(self, seconds: float) -> bool:
        """Whether a write found the database locked by another program, so lately that it may still be."""
        return time.monotonic() - self._locked_at < seconds

    def refusal(self) -> str | None:
        """Why the last write failed, if that was lately: a disk that fails shows in what it is really given alone."""
        if self._refused is None or time.monotonic() - self._refused[0] > REFUSAL_SECONDS:
            return None
        return self._refused[1]

    async def revision(self) -> str | None:
        """The migration that the database stands at; None for an empty or absent one."""
        if not self.path.exists():
            return None
        try:
            async with self.read() as connection:
                return (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
        except OperationalError as error:
            if "no such table" in str(error):
                return None
            raise

    async def ping(self) -> None:
        """Read a real table, and write one without keeping it; raises when the database cannot do either at once."""
        async with self.connect() as connection:
            await connection.execution_options(transaction=None)
            await connection.execute(select(tables.tenants.c.id).limit(1))
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={PROBE_MILLISECONDS}")
            try:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                await connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")
                await connection.exec_driver_sql("ROLLBACK")
            finally:
                await connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        # Open connections go on working on a file that was deleted or replaced; what they write is lost.
        if _identity(self.path) != self._opened:
            raise FileNotFoundError("the database file was removed or replaced")

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def _notice_read_only(self, context: ExceptionContext) -> None:
        # SQLite opens a file that cannot be written for reading alone, and shares that among a process's connections:
        # while any of them is left, no new one notices that the file system takes writes again.
        lately = time.monotonic() - self._reopened_at < REOPENING_EVERY_SECONDS
        if _code(context.original_exception) == sqlite3.SQLITE_READONLY and not lately:
            self._open.clear()

    async def _reopen(self) -> None:
        try:
            await self.engine.dispose()
        finally:
            self._reopened_at = time.monotonic()
            self._open.set()

    async def _commit(self, transaction: AsyncTransaction) -> None:
        # It goes through no cursor, so no event of the engine tells when it ends.
        started = time.perf_counter()
        await transaction.commit()
        self._commit_duration.observe(time.perf_counter() - started)

    def _in_use(self) -> int:
        pool = self.engine.sync_engine.pool
        assert isinstance(pool, AsyncAdaptedQueuePool)
        return pool.checkedout()

    def _observe(self, engine: Any) -> None:
        opened = self._metrics.database_connections.labels("open")
        closed = self._metrics.database_connections.labels("close")
        durations = {
            name: self._metrics.database_query_duration.labels(name.lower()) for name in (*OPERATIONS, "OTHER")
        }

        @event.listens_for(engine, "connect")
        def _connect(connection: Any, _record: Any) -> None:
            opened.inc()
            self._opened = self._opened or _identity(self.path)
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
            statement = connection.get_execution_options().get("transaction", "BEGIN")
            if statement is not None:
                connection.exec_driver_sql(statement)

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

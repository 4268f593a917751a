import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

import server.audit
from server.audit import BATCH_ROWS, COLUMNS, Audit, AuditRow
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import Recorded, sample


def row(number: int, *, target: str | None = None) -> AuditRow:
    return (number, "t_1", "k_1", f"r{number}", "orders_get", "100", target, "success", None, number)


@pytest.fixture
async def audit(database: Database, metrics: Metrics, recorded: Recorded) -> AsyncIterator[Audit]:
    audit = Audit(database, metrics, recorded.logger)
    yield audit
    audit._rows.clear()
    assert await audit.stop(0) == 0


def stored(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY id").fetchall()


def rename(path: Path, old: str, new: str) -> None:
    """Make the audit table refuse rows, or accept them again: a failure that takes no time."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


async def renamed(path: Path, old: str, new: str) -> None:
    """The same beside the event loop, which a try at the table needs to let go of the lock."""
    await asyncio.to_thread(rename, path, old, new)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is on trial offers no event
            await asyncio.sleep(0.01)


async def test_a_flush_writes_every_row_in_order_and_unaltered(audit: Audit, database_file: Path) -> None:
    rows = [row(number) for number in range(10)]
    rows.append((1 << 45, "t", "k", "r", "tool", None, None, "error", "NOT_FOUND", 0))
    rows.append((1, "t", "k", "r", "tool", '["json"]', "quote ' \" ü", "success", None, 1))
    for each in rows:
        audit.record(each)
    await audit.flush()
    assert stored(database_file) == rows


async def test_a_batch_is_one_statement(audit: Audit, metrics: Metrics, database_file: Path) -> None:
    for number in range(BATCH_ROWS + 1):
        audit.record(row(number))
    await audit.flush()
    assert sample(metrics, "db_query_duration_seconds_count", operation="insert") == 2
    assert len(stored(database_file)) == BATCH_ROWS + 1


async def test_a_flush_ends_while_rows_keep_coming(audit: Audit, metrics: Metrics, database_file: Path) -> None:
    async def load() -> None:
        for number in range(1, 1_000_000):
            audit.record(row(number))
            await asyncio.sleep(0)

    audit.record(row(0))
    loading = asyncio.create_task(load())
    async with asyncio.timeout(10):
        await audit.flush()
    loading.cancel()
    assert stored(database_file) == [row(0)]
    assert sample(metrics, "db_query_duration_seconds_count", operation="insert") == 1


async def test_a_stop_writes_what_comes_during_its_last_flush(
    audit: Audit, database: Database, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, late = database.write, [row(1)]

    @asynccontextmanager
    async def slow() -> AsyncIterator[AsyncConnection]:
        async with write() as connection:
            yield connection
        for each in late:
            audit.record(each)
        late.clear()

    monkeypatch.setattr(database, "write", slow)
    audit.record(row(0))
    assert await audit.stop(0) == 0
    assert stored(database_file) == [row(0), row(1)]


async def test_rows_reach_the_disk_without_being_asked_for(audit: Audit, database_file: Path) -> None:
    audit.start()
    audit.record(row(1))
    await until(lambda: len(stored(database_file)) == 1)


async def test_a_full_batch_does_not_wait_for_the_clock(
    audit: Audit, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.audit, "FLUSH_SECONDS", 60)
    audit.start()
    for number in range(BATCH_ROWS):
        audit.record(row(number))
    await until(lambda: len(stored(database_file)) == BATCH_ROWS)


async def test_a_stop_writes_what_is_queued(audit: Audit, database_file: Path) -> None:
    audit.start()
    for number in range(5):
        audit.record(row(number))
    assert await audit.stop(0) == 0
    assert len(stored(database_file)) == 5


async def test_a_stop_tells_how_many_rows_the_database_refused_until_the_end(
    audit: Audit, database_file: Path, recorded: Recorded
) -> None:
    await renamed(database_file, "audit", "elsewhere")
    audit.start()
    for number in range(5):
        audit.record(row(number))
    assert await audit.stop(time.monotonic() + 0.2) == 5
    assert recorded.events[-1] == "audit.rows_lost"


async def test_a_stop_goes_on_trying_as_long_as_it_may(audit: Audit, database_file: Path) -> None:
    await renamed(database_file, "audit", "elsewhere")
    audit.record(row(1))
    stopping = asyncio.ensure_future(audit.stop(time.monotonic() + 10))
    await asyncio.sleep(0.1)
    assert not stopping.done()
    await renamed(database_file, "elsewhere", "audit")
    assert await stopping == 0
    assert len(stored(database_file)) == 1


async def test_rows_that_wait_are_counted_and_told_of_once(
    audit: Audit, database_file: Path, metrics: Metrics, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.audit, "FLUSH_SECONDS", 0.01)
    await renamed(database_file, "audit", "elsewhere")
    audit.start()
    audit.record(row(1))
    await until(lambda: bool(recorded.events))
    await until(lambda: sample(metrics, "audit_rows_waiting") == 1)  # between two tries
    await asyncio.sleep(0.05)  # several more of them
    assert recorded.events == ["audit.flush_failed"]
    await renamed(database_file, "elsewhere", "audit")
    await until(lambda: sample(metrics, "audit_rows_waiting") == 0)


async def test_nobody_waits_for_a_row_again_who_has_waited_for_the_lock(audit: Audit, database_file: Path) -> None:
    with closing(sqlite3.connect(database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        audit.record(row(1))
        with pytest.raises(SQLAlchemyError):
            await audit.flush()
        began = time.monotonic()
        assert not await audit.flushed_within(1)
        assert time.monotonic() - began < 0.5
        other.execute("ROLLBACK")
    await audit.flush()
    assert len(stored(database_file)) == 1


async def test_rows_that_the_database_refuses_are_kept_in_order(audit: Audit, database_file: Path) -> None:
    await renamed(database_file, "audit", "elsewhere")
    for number in range(3):
        audit.record(row(number))
    with pytest.raises(SQLAlchemyError):
        await audit.flush()
    audit.record(row(3))
    await renamed(database_file, "elsewhere", "audit")
    await audit.flush()
    assert stored(database_file) == [row(number) for number in range(4)]


async def test_the_background_flush_survives_a_failure_and_says_so(
    audit: Audit, database_file: Path, recorded: Recorded
) -> None:
    await renamed(database_file, "audit", "elsewhere")
    audit.start()
    audit.record(row(1))
    await until(lambda: "audit.flush_failed" in recorded.events)
    await renamed(database_file, "elsewhere", "audit")
    await until(lambda: len(stored(database_file)) == 1)


async def test_no_row_is_written_twice_when_flushes_overlap(audit: Audit, database_file: Path) -> None:
    audit.start()
    for number in range(200):
        audit.record(row(number))
        if number % 20 == 0:
            await asyncio.gather(audit.flush(), audit.flush())
    assert await audit.stop(0) == 0
    assert stored(database_file) == [row(number) for number in range(200)]


async def test_a_queue_that_is_full_loses_its_oldest_rows_and_counts_them(
    audit: Audit, metrics: Metrics, database_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.audit, "QUEUE_ROWS", 4)
    for number in range(10):
        audit.record(row(number))
    assert sample(metrics, "audit_rows_dropped_total") == 6
    await audit.flush()
    assert stored(database_file) == [row(number) for number in range(6, 10)]

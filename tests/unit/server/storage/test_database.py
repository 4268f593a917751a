import asyncio
import sqlite3
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import Insert, delete, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncTransaction

from server.storage.database import BUSY_MILLISECONDS, POOL_SIZE, Database
from server.storage.tables import HEAD, stores, tenant_keys, tenants
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import sample


async def pragma(database: Database, name: str) -> object:
    async with database.read() as connection:
        return (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()


async def add(database: Database, statement: Insert) -> None:
    async with database.write() as connection:
        await connection.execute(statement)


async def add_tenant(database: Database, tenant_id: str) -> None:
    await add(database, insert(tenants).values(id=tenant_id, name=tenant_id, created_at=1))


async def count(database: Database, table: object) -> int:
    async with database.read() as connection:
        return (await connection.execute(select(func.count()).select_from(table))).scalar_one()  # type: ignore[arg-type]


async def test_every_connection_has_wal_full_synchrony_foreign_keys_and_patience(database: Database) -> None:
    async def ask(_number: int) -> tuple[object, ...]:
        async with database.read() as connection:
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            values = [(await connection.execute(text(f"PRAGMA {name}"))).scalar_one() for name in names]
            await asyncio.sleep(0.05)  # hold it, so that the next one gets another
        return tuple(values)

    assert set(await asyncio.gather(*map(ask, range(POOL_SIZE)))) == {("wal", 2, 1, 2000)}


async def test_readers_go_on_while_a_write_is_open(database: Database) -> None:
    await add_tenant(database, "t_1")
    async with database.write() as connection:
        await connection.execute(delete(tenants))
        async with asyncio.timeout(2):
            assert await count(database, tenants) == 1


async def test_two_writes_wait_for_each_other_and_both_happen(database: Database) -> None:
    async def bump(name: str) -> None:
        async with database.write() as connection:
            known = (await connection.execute(select(func.count()).select_from(tenants))).scalar_one()
            await asyncio.sleep(0.02)
            await connection.execute(insert(tenants).values(id=name, name=name, created_at=known))

    await asyncio.gather(*(bump(f"t_{number}") for number in range(4)))
    async with database.read() as connection:
        seen = (await connection.execute(select(tenants.c.created_at))).scalars().all()
    assert sorted(seen) == [0, 1, 2, 3]


async def test_writes_that_wait_for_another_program_s_lock_fail_together(
    database: Database, database_file: Path
) -> None:
    with closing(sqlite3.connect(database_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        waiting = (add_tenant(database, f"t_{number}") for number in range(5))
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(getattr(outcome, "orig", outcome)) for outcome in outcomes] == ["database is locked"] * 5
        assert time.monotonic() - began < 1.5 * BUSY_MILLISECONDS / 1000
        assert database.was_locked_within(1)
        assert database.refusal() == "database is locked"
        assert await count(database, tenants) == 0
        other.execute("ROLLBACK")
    await add_tenant(database, "t_after")
    assert database.refusal() is None


async def test_a_connection_that_cannot_write_is_not_used_again(database: Database, database_file: Path) -> None:
    await add_tenant(database, "t_1")
    async with database.write() as connection:
        await connection.exec_driver_sql("PRAGMA query_only=ON")
    with pytest.raises(OperationalError, match="readonly"):
        await add_tenant(database, "t_2")
    await add_tenant(database, "t_2")
    assert await count(database, tenants) == 2


async def test_those_who_wait_for_a_connection_get_one_before_all_are_closed(
    database: Database, metrics: Metrics
) -> None:
    all_in_use, noticed = asyncio.Barrier(POOL_SIZE), asyncio.Event()

    async def read(number: int) -> None:
        async with database.read() as connection:
            if number < POOL_SIZE:
                await all_in_use.wait()
            if number == 0:
                await connection.exec_driver_sql("PRAGMA query_only=ON")
                with pytest.raises(OperationalError, match="readonly"):  # as of a file that cannot be written
                    await connection.exec_driver_sql("DELETE FROM tenants")
                noticed.set()
            await noticed.wait()
            await connection.execute(select(tenants.c.id))

    async with asyncio.timeout(4):  # a connection is waited for longer: the pool's time-out
        await asyncio.gather(*map(read, range(3 * POOL_SIZE)))
    assert sample(metrics, "db_connections_total", operation="close") == POOL_SIZE
    await add_tenant(database, "t_1")


async def test_a_commit_is_measured_as_long_as_it_takes(
    database: Database, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AsyncTransaction.commit

    async def slow(transaction: AsyncTransaction) -> None:
        await asyncio.sleep(0.05)
        await commit(transaction)

    monkeypatch.setattr(AsyncTransaction, "commit", slow)
    await add_tenant(database, "t_1")
    assert 0.05 <= sample(metrics, "db_query_duration_seconds_sum", operation="commit") < 1


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as connection:
            await connection.execute(insert(tenants).values(id="t", name="t", created_at=1))
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await fail()
    assert await count(database, tenants) == 0


async def test_a_row_without_its_parent_is_refused(database: Database) -> None:
    values = {"id": "k", "tenant_id": "nobody", "secret_hash": b"", "created_at": 1}
    with pytest.raises(IntegrityError):
        await add(database, insert(tenant_keys).values(values))


async def test_a_tenant_takes_its_stores_along(database: Database) -> None:
    await add_tenant(database, "t_1")
    values = {"tenant_id": "t_1", "store_id": "1", "name": "n", "sealed_api_key": b"", "created_at": 1}
    await add(database, insert(stores).values(id="s_1", is_default=True, **values))
    with pytest.raises(IntegrityError):
        await add(database, insert(stores).values(id="s_2", is_default=True, **{**values, "store_id": "2"}))
    async with database.write() as connection:
        await connection.execute(delete(tenants))
    assert await count(database, stores) == 0


async def test_the_revision_is_read_and_an_empty_database_has_none(
    database: Database, tmp_path: Path, metrics: Metrics
) -> None:
    assert await database.revision() == HEAD
    empty = Database(f"sqlite:///{tmp_path}/new/empty.db", metrics)
    assert await empty.revision() is None
    await empty.close()


async def test_a_database_without_tables_does_not_answer_a_ping(tmp_path: Path, metrics: Metrics) -> None:
    (tmp_path / "empty.db").touch()
    empty = Database(f"sqlite:///{tmp_path}/empty.db", metrics)
    with pytest.raises(Exception, match="no such table"):
        await empty.ping()
    await empty.close()


async def test_statements_and_connections_are_measured(database: Database, metrics: Metrics) -> None:
    await add_tenant(database, "t_1")
    await count(database, tenants)
    for operation in ("insert", "select", "commit"):
        assert sample(metrics, "db_query_duration_seconds_count", operation=operation) >= 1
    assert sample(metrics, "db_connections_total", operation="open") == 1
    assert sample(metrics, "db_pool_size") == POOL_SIZE
    assert sample(metrics, "db_pool_available") == POOL_SIZE
    async with database.read():
        assert sample(metrics, "db_pool_available") == POOL_SIZE - 1
        assert sample(metrics, "db_pool_waiting") == 0
    await database.close()
    assert sample(metrics, "db_connections_total", operation="close") == 1


async def test_who_waits_for_a_connection_is_counted(database: Database, metrics: Metrics) -> None:
    async with AsyncExitStack() as taken:
        for _ in range(POOL_SIZE):
            await taken.enter_async_context(database.connect())
        asked = asyncio.create_task(count(database, tenants))
        while not sample(metrics, "db_pool_waiting"):  # noqa: ASYNC110 - nobody signals that somebody began to wait
            await asyncio.sleep(0.001)
        assert sample(metrics, "db_pool_waiting") == 1
    await asked
    assert sample(metrics, "db_pool_waiting") == 0


async def test_what_was_committed_is_there_for_another_program(database: Database, database_file: Path) -> None:
    await add_tenant(database, "t_1")
    with closing(sqlite3.connect(database_file)) as connection:
        assert connection.execute("SELECT id FROM tenants").fetchall() == [("t_1",)]

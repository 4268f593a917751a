import asyncio
from typing import Any

import pytest
from sqlalchemy import insert, select

from server import retention as module
from server.brakes import Brake, pull
from server.retention import DAY_MILLISECONDS, Retention
from server.storage.database import Database
from server.storage.tables import audit, brakes, writes
from server.telemetry.metrics import Metrics
from server.tenancy.tenants import Tenants
from tests.unit.server.parts import Recorded, sample

NOW = 1_000 * DAY_MILLISECONDS
AUDIT_DAYS, WRITE_DAYS = 90, 30


@pytest.fixture
def retention(database: Database, metrics: Metrics, recorded: Recorded) -> Retention:
    return Retention(database, metrics, recorded.logger, audit_days=AUDIT_DAYS, write_days=WRITE_DAYS, now=lambda: NOW)


@pytest.fixture
async def tenant(tenants: Tenants, database: Database) -> str:
    caller, _ = await tenants.create("shop")
    async with database.write() as connection:
        await connection.execute(audit.delete())
    return caller.tenant_id


async def add_audit(database: Database, tenant: str, days: float, count: int = 1, **values: Any) -> None:
    row = {
        "at": NOW - round(days * DAY_MILLISECONDS),
        "tenant_id": tenant,
        "key_id": "k",
        "request_id": f"{days:g}",
        "tool": "orders_get",
        "status": "success",
        "duration_ms": 1,
    }
    async with database.write() as connection:
        await connection.execute(insert(audit), [{**row, **values}] * count)


async def add_write(database: Database, tenant: str, name: str, days: float, state: str, settled: float | None) -> None:
    async with database.write() as connection:
        await connection.execute(
            insert(writes).values(
                id=name,
                tenant_id=tenant,
                store_id="1",
                tool="orders_update",
                arguments_digest=bytes(32),
                state=state,
                request_id="r",
                created_at=NOW - round(days * DAY_MILLISECONDS),
                settled_at=None if settled is None else NOW - round(settled * DAY_MILLISECONDS),
            )
        )


async def values_of(database: Database, column: Any) -> list[Any]:
    async with database.read() as connection:
        return sorted((await connection.execute(select(column))).scalars())


async def emptied(database: Database) -> None:
    async with asyncio.timeout(5):
        while await values_of(database, audit.c.id):  # noqa: ASYNC110 - a table signals nobody
            await asyncio.sleep(0.01)


async def test_audit_rows_go_when_they_are_old_enough(
    retention: Retention, database: Database, metrics: Metrics, tenant: str
) -> None:
    for days in (0, 89.9, 90.1, 400):
        await add_audit(database, tenant, days)
    await retention.sweep()
    assert await values_of(database, audit.c.request_id) == ["0", "89.9"]
    assert sample(metrics, "retention_rows_removed_total", table="audit") == 2


async def test_settled_writes_go_when_they_are_old_enough_and_unsettled_ones_stay(
    retention: Retention, database: Database, metrics: Metrics, tenant: str, recorded: Recorded
) -> None:
    await add_write(database, tenant, "young", 29, "done", 29)
    await add_write(database, tenant, "done", 31, "done", 31)
    await add_write(database, tenant, "failed", 31, "failed", 31)
    await add_write(database, tenant, "settled lately", 31, "done", 1)
    await retention.sweep()
    assert recorded.events == []
    await add_write(database, tenant, "intent", 31, "intent", None)
    await add_write(database, tenant, "uncertain", 31, "uncertain", 31)
    await retention.sweep()
    assert await values_of(database, writes.c.id) == ["intent", "settled lately", "uncertain", "young"]
    assert recorded.events == ["retention.unsettled_writes_kept"]
    assert sample(metrics, "retention_rows_removed_total", table="writes") == 2


async def test_brakes_whose_time_is_over_go(retention: Retention, database: Database) -> None:
    async with database.write() as connection:
        await pull(connection, Brake("tenant", "over", "read_only", "r", expires_at=NOW))
        await pull(connection, Brake("tenant", "holds", "read_only", "r", expires_at=NOW + 1))
        await pull(connection, Brake("tenant", "endless", "read_only", "r"))
    await retention.sweep()
    assert await values_of(database, brakes.c.subject) == ["endless", "holds"]


async def test_what_a_call_recorded_after_its_tenants_erasure_goes_but_not_what_the_operator_did(
    retention: Retention, database: Database, tenant: str
) -> None:
    await add_audit(database, tenant, 1)
    await add_audit(database, "", 1, key_id="operator", request_id="server brake")
    await add_audit(database, "t_erased", 1)
    await add_audit(database, "t_erased", 1, key_id="operator", request_id="erasure")
    await add_audit(database, "zz_erased", 1)
    await retention.sweep()
    assert await values_of(database, audit.c.request_id) == ["1", "erasure", "server brake"]


async def test_many_rows_go_in_short_transactions(
    retention: Retention, database: Database, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 40)
    await add_audit(database, tenant, 100, count=201)
    sizes = []
    delete = Retention._delete_batch

    async def counted(self: Retention, table: Any, key: Any, ids: Any) -> int:
        sizes.append(len(ids))
        return await delete(self, table, key, ids)

    monkeypatch.setattr(Retention, "_delete_batch", counted)
    await retention.sweep()
    assert sizes == [40, 40, 40, 40, 40, 1]


async def test_it_begins_at_once_goes_on_and_ends_when_it_is_told(
    database: Database, metrics: Metrics, recorded: Recorded, tenant: str
) -> None:
    often = Retention(
        database, metrics, recorded.logger, audit_days=90, write_days=30, now=lambda: NOW, every_seconds=0.01
    )
    often.start()
    for _ in range(2):
        await add_audit(database, tenant, 100)
        await emptied(database)
    await asyncio.wait_for(often.stop(), 5)
    await add_audit(database, tenant, 100)
    await asyncio.sleep(0.05)
    assert len(await values_of(database, audit.c.id)) == 1


async def test_a_database_in_trouble_is_logged_and_tried_again(
    database: Database, metrics: Metrics, recorded: Recorded, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)
    await add_audit(database, tenant, 100)
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE audit RENAME TO lost")
    retention = Retention(database, metrics, recorded.logger, audit_days=90, write_days=30, now=lambda: NOW)
    retention.start()
    async with asyncio.timeout(5):
        while "retention.failed" not in recorded.events:  # noqa: ASYNC110 - a log signals nobody
            await asyncio.sleep(0.01)
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE lost RENAME TO audit")
    await emptied(database)
    await retention.stop()

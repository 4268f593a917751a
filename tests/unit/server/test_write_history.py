from dataclasses import replace

import pytest
from sqlalchemy import select, update

from server.brakes import Brakes
from server.clock import now_milliseconds
from server.errors import WriteUncertainError
from server.storage.database import Database
from server.storage.tables import audit, write_leases, writes
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.writes.history import Filter, History
from server.writes.leases import Leases
from server.writes.ledger import Write, WriteLedger
from server.writes.operation import Plan
from server.writes.states import ABANDONED, STATES, UNDER_WAY

LEASES = Leases.of_this_process(45)


@pytest.fixture
def ledger(database: Database, vault: Vault) -> WriteLedger:
    return WriteLedger(database, vault, Brakes(database, cap=5), LEASES)


@pytest.fixture
async def write(tenants: Tenants) -> Write:
    caller, _ = await tenants.create("shop")
    return Write(caller.tenant_id, caller.key_id, "r1", "orders_update", "100", "s_1", "1", b"d" * 32, {}, locks=("1",))


async def begun(ledger: WriteLedger, write: Write) -> str:
    return await ledger.begin(write, Plan({"id": "1"}, {"id": "1", "email": "x"}))


async def test_a_write_that_may_be_under_way_cannot_be_settled(
    database: Database, ledger: WriteLedger, write: Write
) -> None:
    history, write_id = History(database, LEASES), await begun(ledger, write)
    row = await history.get(write_id)
    assert row is not None
    assert not await history.settle(row, happened=False)
    async with database.write() as connection:
        await connection.execute(update(writes).values(created_at=now_milliseconds() - LEASES.stale_milliseconds - 1))
    row = await history.get(write_id)
    assert row is not None
    assert await history.settle(row, happened=False)
    assert not await history.settle(row, happened=True)


async def test_a_write_is_abandoned_when_nothing_of_its_call_can_arrive_any_more(
    database: Database, vault: Vault, ledger: WriteLedger, write: Write
) -> None:
    # Its id was given to another process since.
    ended = replace(LEASES, process=replace(LEASES.process, started="0"))
    of_ended = await begun(WriteLedger(database, vault, Brakes(database, cap=5), ended), replace(write, locks=()))
    history = History(database, LEASES)
    old, own = await begun(ledger, replace(write, locks=())), await begun(ledger, write)
    async with database.write() as connection:
        past = now_milliseconds() - LEASES.stale_milliseconds
        await connection.execute(update(writes).where(writes.c.id == old).values(created_at=past))
    states = {row.id: history.state_of(row) for row in await history.find(Filter())}
    assert states == {of_ended: UNDER_WAY, old: ABANDONED, own: UNDER_WAY}
    await ledger.done(own, write.tenant_id, {"status": "success"})
    asked = {state: {row.id for row in await history.find(Filter(state=state))} for state in STATES}
    assert asked == {
        ABANDONED: {old},
        UNDER_WAY: {of_ended},
        "done": {own},
        "failed": set(),
        "uncertain": set(),
    }
    await begun(ledger, replace(write, locks=()))
    assert len(await history.find(Filter(state=UNDER_WAY), 1)) == 1
    assert [row.id for row in await history.to_look_up(0)] == [old]


@pytest.mark.parametrize(("outcome", "told"), [("done", ("success", None)), ("failed", ("error", "OPERATOR"))])
async def test_settling_by_hand_completes_the_audit_row_and_drops_the_lease(
    outcome: str, told: tuple[str, str | None], database: Database, ledger: WriteLedger, write: Write
) -> None:
    history, write_id = History(database, LEASES), await begun(ledger, write)
    await ledger.failed(write_id, WriteUncertainError("lost"))
    async with database.write() as connection:
        await ledger._leases.take(connection, ["left"], write_id)  # as a killed server leaves it
    row = await history.get(write_id)
    assert row is not None
    assert await history.settle(row, happened=outcome == "done")
    async with database.read() as connection:
        query = select(audit.c.status, audit.c.error_code).where(audit.c.write_id == write_id)
        assert [tuple(each) for each in await connection.execute(query)] == [told]
        assert (await connection.execute(select(write_leases))).all() == []


async def test_every_write_that_may_be_reverted_or_told_why_not_is_found_without_what_is_sealed(
    database: Database, ledger: WriteLedger, write: Write
) -> None:
    history, count = History(database, LEASES), 10_050
    write_id = await begun(ledger, write)
    await ledger.done(write_id, write.tenant_id, {"status": "success"})
    full = await history.get(write_id)
    assert full is not None
    kept = {name: value for name, value in full._mapping.items() if name != "tenant_name"}
    async with database.write() as connection:
        await connection.execute(
            writes.insert(), [{**kept, "id": f"w_{number}", "sealed_result": None} for number in range(count - 1)]
        )
        others: list[dict[str, object]] = [
            {"state": "failed"},
            {"reverts": write_id},
            {"objects": 0},
        ]
        for number, other in enumerate(others):
            await connection.execute(writes.insert(), {**kept, "id": f"w_other_{number}", **other})
        # The first release kept no plan: it cannot be reverted, which an operator must hear.
        await connection.execute(writes.insert(), {**kept, "id": "w_first_release", "sealed_plan": None})
    rows = await history.revertible(Filter(tenant_id=write.tenant_id))
    assert len(rows) == count + 1
    assert "w_first_release" in {row.id for row in rows}
    assert not [row.id for row in rows if row.id.startswith("w_other")]
    assert not [name for name in rows[0]._fields if name.startswith("sealed")]
    assert not await history.are_under_way(write.tenant_id, write.store_id)

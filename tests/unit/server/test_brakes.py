import pytest

from server.brakes import Brake, Brakes, pull, release
from server.clock import now_milliseconds
from server.errors import ReadOnlyError, SuspendedError
from server.storage.database import Database
from tests.unit.server.conftest import CAP
from tests.unit.server.parts import FakeClock

TENANT, STORE = "t_1", "s_1"
READ_ONLY = [
    pytest.param(Brake("server", "", "read_only", "r"), id="server"),
    pytest.param(Brake("tenant", TENANT, "read_only", "r"), id="tenant"),
    pytest.param(Brake("store", STORE, "read_only", "r"), id="store"),
]
OTHERS = [
    pytest.param(Brake("tenant", "t_2", "read_only", "r"), id="another tenant"),
    pytest.param(Brake("store", "s_2", "read_only", "r"), id="another store"),
    pytest.param(Brake("store", TENANT, "read_only", "r"), id="a store of that name"),
    pytest.param(Brake("tenant", "t_2", "suspended", "r"), id="another tenant suspended"),
]


async def pulled(database: Database, brake: Brake) -> None:
    async with database.write() as connection:
        await pull(connection, brake)


async def refuse_now(brakes: Brakes, database: Database, store: str | None = STORE) -> int:
    async with database.write() as connection:
        return await brakes.refuse_write_now(connection, TENANT, store)


@pytest.mark.parametrize("brake", READ_ONLY)
async def test_a_brake_refuses_writes_until_it_is_released(
    brake: Brake, brakes: Brakes, database: Database, clock: FakeClock
) -> None:
    await brakes.refuse_write(TENANT, STORE)
    await pulled(database, brake)
    with pytest.raises(ReadOnlyError) as refused:
        await refuse_now(brakes, database)
    assert refused.value.details == {"scope": brake.scope}
    clock.advance(0.5)
    with pytest.raises(ReadOnlyError):
        await brakes.refuse_write(TENANT, STORE)
    await brakes.refuse_suspended(TENANT)
    async with database.write() as connection:
        assert await release(connection, brake.scope, brake.subject, brake.kind)
        assert not await release(connection, brake.scope, brake.subject, brake.kind)
    clock.advance(0.5)
    await brakes.refuse_write(TENANT, STORE)
    await refuse_now(brakes, database)


@pytest.mark.parametrize("brake", OTHERS)
async def test_a_brake_on_somebody_else_refuses_nothing(brake: Brake, brakes: Brakes, database: Database) -> None:
    await pulled(database, brake)
    await brakes.refuse_write(TENANT, STORE)
    await brakes.refuse_suspended(TENANT)
    await refuse_now(brakes, database)


async def test_a_write_without_a_store_is_refused_by_no_stores_brake(brakes: Brakes, database: Database) -> None:
    await pulled(database, Brake("store", STORE, "read_only", "r"))
    await brakes.refuse_write(TENANT, None)
    await refuse_now(brakes, database, None)


async def test_a_suspended_tenant_may_do_nothing(brakes: Brakes, database: Database) -> None:
    await pulled(database, Brake("tenant", TENANT, "suspended", "r"))
    with pytest.raises(SuspendedError):
        await brakes.refuse_suspended(TENANT)
    with pytest.raises(SuspendedError):
        await brakes.refuse_write(TENANT, STORE)
    with pytest.raises(SuspendedError):
        await refuse_now(brakes, database)


async def test_what_was_looked_up_is_believed_for_half_a_second(
    brakes: Brakes, database: Database, clock: FakeClock
) -> None:
    await brakes.refuse_write(TENANT, STORE)
    await pulled(database, Brake("server", "", "read_only", "r"))
    clock.advance(0.49)
    await brakes.refuse_write(TENANT, STORE)
    clock.advance(0.02)
    with pytest.raises(ReadOnlyError):
        await brakes.refuse_write(TENANT, STORE)


async def test_a_brake_whose_time_is_over_holds_no_more(brakes: Brakes, database: Database) -> None:
    now = now_milliseconds()
    await pulled(database, Brake("server", "", "read_only", "over", expires_at=now - 1))
    assert await brakes.all() == ()
    await refuse_now(brakes, database)
    await pulled(database, Brake("server", "", "read_only", "holds", expires_at=now + 60_000))
    (brake,) = await brakes.all()
    assert (brake.reason, brake.expires_at) == ("holds", now + 60_000)
    with pytest.raises(ReadOnlyError):
        await refuse_now(brakes, database)


async def test_a_tenants_own_cap_goes_before_the_servers(brakes: Brakes, database: Database) -> None:
    assert await refuse_now(brakes, database) == CAP
    await pulled(database, Brake("tenant", "t_2", "cap", "r", value=3))
    assert await refuse_now(brakes, database) == CAP
    await pulled(database, Brake("tenant", TENANT, "cap", "r", value=0))
    assert await refuse_now(brakes, database) == 0
    await pulled(database, Brake("tenant", TENANT, "cap", "again", value=CAP * 2))
    assert await refuse_now(brakes, database) == CAP * 2
    assert [brake.reason for brake in await brakes.all()] == ["r", "again"]

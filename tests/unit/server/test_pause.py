import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from server.brakes import Brake, Brakes, pull, release
from server.clock import now_milliseconds
from server.errors import ConflictError, ReadOnlyError
from server.storage.database import Database
from server.storage.tables import brakes as brakes_table
from server.tenancy.stores import Store
from server.writes import pause as pause_module
from server.writes.leases import Process
from server.writes.pause import HELD_MILLISECONDS, Pause, paused

STORE = Store("s_1", "t_1", "100", "Shop", None, is_default=True, upstream="u_1", sealed_api_key=b"")
OURS = Process.this()
ELSEWHERE = replace(OURS, host="another-host")
ENDED = replace(OURS, started="0.00")


def not_awaited() -> None:
    raise AssertionError


async def held(database: Database) -> list[tuple[str, str]]:
    async with database.read() as connection:
        rows = await connection.execute(select(brakes_table.c.kind, brakes_table.c.reason))
        return [(row.kind, row.reason.removeprefix(pause_module.REASON)) for row in rows]


async def test_a_paused_store_is_read_only_until_the_work_is_done(database: Database, brakes: Brakes) -> None:
    async with paused(database, STORE, OURS, not_awaited):
        async with database.write() as connection:
            with pytest.raises(ReadOnlyError):
                await brakes.refuse_write_now(connection, STORE.tenant_id, STORE.id)
            await brakes.refuse_write_now(connection, STORE.tenant_id, "s_2")
        (brake,) = await brakes.all()
        assert brake.expires_at is not None
        assert 0 < brake.expires_at - now_milliseconds() <= HELD_MILLISECONDS
    assert await held(database) == []


async def test_a_second_revert_waits_and_neither_releases_the_others_pause(database: Database) -> None:
    first, second = Pause(database, STORE, OURS), Pause(database, STORE, ELSEWHERE)
    assert await first.take()
    assert not await second.take()
    await second.release()
    assert await held(database) == [("revert", str(OURS))]
    await first.release()
    assert await second.take()
    await first.release()
    assert await held(database) == [("revert", str(ELSEWHERE))]


async def test_the_pause_of_a_killed_run_is_taken_over_and_released(database: Database) -> None:
    assert await Pause(database, STORE, ENDED).take()
    async with paused(database, STORE, OURS, not_awaited):
        assert await held(database) == [("revert", str(OURS))]
    assert await held(database) == []


async def test_the_pause_of_another_host_is_taken_over_when_its_time_is_over(database: Database) -> None:
    assert await Pause(database, STORE, ELSEWHERE).take()
    async with database.write() as connection:
        await connection.execute(update(brakes_table).values(expires_at=now_milliseconds() - 1))
    assert await Pause(database, STORE, OURS).take()


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_an_operators_own_brake_is_neither_replaced_nor_released(when: str, database: Database) -> None:
    async def pull_own() -> None:
        async with database.write() as connection:
            await pull(connection, Brake("store", STORE.id, "read_only", "stock-taking"))

    if when == "before":
        await pull_own()
    async with paused(database, STORE, OURS, not_awaited):
        if when == "meanwhile":
            await pull_own()
    assert await held(database) == [("read_only", "stock-taking")]


async def test_a_pause_is_renewed_while_the_work_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_module, "RENEWAL_SECONDS", 0.01)
    async with paused(database, STORE, OURS, not_awaited) as pause:
        async with database.write() as connection:
            await connection.execute(update(brakes_table).values(expires_at=now_milliseconds() + 5_000))

        async def is_renewed() -> bool:
            async with database.read() as connection:
                expires_at = (await connection.execute(select(brakes_table.c.expires_at))).scalar_one()
            return bool(expires_at > now_milliseconds() + 60_000)

        async with asyncio.timeout(10):
            while not await is_renewed():  # noqa: ASYNC110 - the database says so
                await asyncio.sleep(0.01)
        pause.refuse_lost()


async def test_work_ends_when_the_pause_is_lost(database: Database) -> None:
    pause = Pause(database, STORE, OURS)
    assert await pause.take()
    await pause.renew()
    pause.refuse_lost()
    async with database.write() as connection:
        assert await release(connection, "store", STORE.id, "revert")
    await pause.renew()
    with pytest.raises(ConflictError):
        pause.refuse_lost()

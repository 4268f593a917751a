import os
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import select, update

from server.clock import now_milliseconds
from server.storage.database import Database
from server.storage.tables import audit, stores, tenant_keys, writes
from server.tenancy import rotation
from server.tenancy.keys import TenantKey, hash_secret
from server.tenancy.rotation import Outcome, ring_keys, rotate_master
from server.tenancy.stores import Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.writes.leases import Leases
from server.writes.ledger import Write, WriteLedger
from server.writes.operation import Plan

OLD, NEW = os.urandom(32), os.urandom(32)
BOTH = Vault(NEW, OLD)


@pytest.fixture
def vault() -> Vault:
    """What everything is sealed under before a rotation."""
    return Vault(OLD)


class Filled:
    """A tenant with a store, a key, and writes, sealed under the old key."""

    def __init__(self, key: TenantKey, tenant_id: str, write_ids: list[str]) -> None:
        self.key = key
        self.tenant_id = tenant_id
        self.write_ids = write_ids


@pytest.fixture
async def filled(database: Database, vault: Vault, tenants: Tenants, brakes: Any) -> Filled:
    caller, key = await tenants.create("shop")
    await Stores(database, vault).register(caller.tenant_id, "1", "api-key", "Shop", None)
    ledger = WriteLedger(database, vault, brakes, Leases.of_this_process(45))
    write_ids = []
    for number in range(5):
        write = Write(caller.tenant_id, key.id, "r", "orders_update", "1", None, str(number), bytes(32), {})
        write_ids.append(await ledger.begin(write, Plan({"n": number}, None)))
        await ledger.done(write_ids[-1], caller.tenant_id, {"n": number})
    return Filled(key, caller.tenant_id, write_ids)


async def rotate(database: Database, ring: Vault = BOTH) -> Outcome:
    return await rotate_master(database, ring, lambda *_: None)


async def audited(database: Database) -> list[str]:
    async with database.read() as connection:
        query = select(audit.c.target).where(audit.c.tool == "key.rotate-master").order_by(audit.c.id)
        return list((await connection.execute(query)).scalars())


async def ring(database: Database) -> tuple[tuple[str, int, bool], ...]:
    return tuple((key.fingerprint, key.values, key.replaced) for key in await ring_keys(database, BOTH))


def shown(key: bytes) -> str:
    return Vault(key).first_head[1:].hex()


async def test_everything_opens_under_the_new_key_alone(
    filled: Filled, database: Database, brakes: Any, metrics: Any
) -> None:
    assert await rotate(database) == Outcome(12, 12, 0, ())
    alone = Vault(NEW)
    assert await Tenants(database, alone, brakes, metrics_of(metrics)).authenticate(str(filled.key)) is not None
    known = Stores(database, alone)
    assert known.api_key(await known.resolve(filled.tenant_id, "1")) == "api-key"
    ledger = WriteLedger(database, alone, brakes, Leases.of_this_process(45))
    async with database.read() as connection:
        rows = (await connection.execute(select(writes))).all()
    assert sorted(ledger.opened(row, "sealed_plan")["before"]["n"] for row in rows) == [0, 1, 2, 3, 4]
    assert sorted(ledger.opened(row, "sealed_result")["n"] for row in rows) == [0, 1, 2, 3, 4]
    assert await rotate(database) == Outcome(12, 0, 0, ())
    assert await audited(database) == [f"begun: to {shown(NEW)} from {shown(OLD)}", "12 resealed, 0 unreadable"]


def metrics_of(metrics: Any) -> Any:
    """The same class, in a registry of its own."""
    return type(metrics)("0", "development")


async def test_small_batches_each_commit_and_a_stopped_run_is_taken_up(
    filled: Filled, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    told = []

    def stop(name: str, looked_at: int, total: int) -> None:
        told.append((name, looked_at, total))
        if (name, looked_at) == ("writes.sealed_plan", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotate_master(database, BOTH, stop)
    assert told == [
        ("stores.sealed_api_key", 1, 1),
        ("tenant_keys.secret_hash", 1, 1),
        ("writes.sealed_plan", 2, 5),
        ("writes.sealed_plan", 4, 5),
    ]
    assert await rotate(database) == Outcome(12, 6, 0, ())


@pytest.mark.parametrize("under", ["new", "old"])
async def test_a_value_that_changed_meanwhile_is_not_overwritten(
    under: str, filled: Filled, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server writes while a batch is sealed stays; under the old key the next pass seals it anew."""
    meanwhile = (BOTH if under == "new" else Vault(OLD)).seal(
        filled.tenant_id, f"writes/{filled.write_ids[0]}/sealed_plan", b'{"before": "changed"}'
    )
    replace = rotation._replace
    changed = False

    async def late(database: Database, source: rotation.Source, changes: Any, begun: str | None) -> int:
        nonlocal changed
        if source.name == "writes.sealed_plan" and not changed:
            changed = True
            async with database.write() as connection:
                await connection.execute(
                    update(writes).where(writes.c.id == filled.write_ids[0]).values(sealed_plan=meanwhile)
                )
        return await replace(database, source, changes, begun)

    monkeypatch.setattr(rotation, "_replace", late)
    outcome = await rotate(database)
    async with database.read() as connection:
        query = select(writes.c.sealed_plan).where(writes.c.id == filled.write_ids[0])
        sealed = (await connection.execute(query)).scalar_one()
    assert outcome == Outcome(12, 11 if under == "new" else 12, 0, ())
    assert (sealed == meanwhile) is (under == "new")
    place = f"writes/{filled.write_ids[0]}/sealed_plan"
    assert Vault(NEW).open(filled.tenant_id, place, sealed) == b'{"before": "changed"}'


async def test_a_server_that_goes_on_sealing_under_the_older_key_is_noticed(
    filled: Filled, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = rotation._replace

    async def stubborn(database: Database, source: rotation.Source, changes: Any, begun: str | None) -> int:
        replaced = await replace(database, source, changes, begun)
        sealed = Vault(OLD).seal(filled.tenant_id, f"writes/{filled.write_ids[0]}/sealed_plan", b"{}")
        async with database.write() as connection:
            await connection.execute(
                update(writes).where(writes.c.id == filled.write_ids[0]).values(sealed_plan=sealed)
            )
        return replaced

    monkeypatch.setattr(rotation, "_replace", stubborn)
    outcome = await rotate(database)
    assert (outcome.left, outcome.unreadable) == (1, ())


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(os.urandom(60), id="noise"),
        pytest.param(Vault(os.urandom(32)).seal("t", "writes/x", b"x"), id="another key"),
        pytest.param(BOTH.first_head + os.urandom(40), id="the new key, altered"),
        pytest.param(Vault(OLD).first_head + os.urandom(40), id="the old key, altered"),
    ],
)
async def test_what_does_not_open_is_named_and_left(damaged: bytes, filled: Filled, database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(writes).where(writes.c.id == filled.write_ids[2]).values(sealed_result=damaged))
    outcome = await rotate(database)
    assert (outcome.resealed, outcome.left) == (11, 0)
    (name,) = outcome.unreadable
    assert filled.write_ids[2] in name
    async with database.read() as connection:
        query = select(writes.c.sealed_result).where(writes.c.id == filled.write_ids[2])
        assert (await connection.execute(query)).scalar_one() == damaged


@pytest.mark.parametrize("hashed_under", [OLD, NEW], ids=["old", "new"])
async def test_a_hash_of_the_first_release_is_sealed_and_accepts_its_key_only(
    hashed_under: bytes, filled: Filled, database: Database, brakes: Any, metrics: Any
) -> None:
    """Nobody can tell which master key it was hashed under: it is sealed with the peppers of all."""
    pepper = Vault(hashed_under).first_peppers[0]
    async with database.write() as connection:
        await connection.execute(update(tenant_keys).values(secret_hash=hash_secret(pepper, filled.key.secret)))
    assert (await rotate(database)).left == 0
    known = Tenants(database, Vault(NEW), brakes, metrics_of(metrics))
    assert await known.authenticate(str(filled.key)) is not None
    assert await known.authenticate(str(TenantKey(filled.key.id, TenantKey.generate().secret))) is None


async def test_a_moved_value_is_not_sealed_where_it_does_not_belong(filled: Filled, database: Database) -> None:
    async with database.write() as connection:
        moved = (await connection.execute(select(stores.c.sealed_api_key))).scalar_one()
        await connection.execute(update(tenant_keys).values(secret_hash=moved, created_at=now_milliseconds()))
    outcome = await rotate(database)
    (name,) = outcome.unreadable
    assert name == f"tenant shop: the hash of key {filled.key.id} does not open: it was altered or moved"


async def test_a_key_is_replaced_only_once_nothing_is_under_it(
    filled: Filled, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ring(database) == (
        (shown(NEW), 0, False),
        (shown(OLD), 12, False),
    )
    monkeypatch.setattr(rotation, "BATCH", 2)

    def stop(name: str, looked_at: int, _total: int) -> None:
        if (name, looked_at) == ("writes.sealed_plan", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rotate_master(database, BOTH, stop)
    assert await ring(database) == (
        (shown(NEW), 6, False),
        (shown(OLD), 6, False),
    )
    await rotate(database)
    assert await ring(database) == (
        (shown(NEW), 12, False),
        (shown(OLD), 0, True),
    )


async def test_a_hash_of_the_first_release_counts_as_under_every_key(filled: Filled, database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(tenant_keys).values(secret_hash=os.urandom(32)))
        for table in (stores, writes):
            await connection.execute(table.delete())
    assert [key.values for key in await ring_keys(database, BOTH)] == [0, 0]
    await rotate(database)
    assert [key.replaced for key in await ring_keys(database, BOTH)] == [False, True]


async def test_a_value_of_a_tenant_that_is_gone_is_named_by_its_ids(filled: Filled, database: Database) -> None:
    with closing(sqlite3.connect(database.path)) as connection, connection:  # which knows nothing of foreign keys
        connection.execute("UPDATE tenant_keys SET tenant_id = 't_gone'")
    (name,) = (await rotate(database)).unreadable
    assert name.startswith(f"tenant t_gone: the hash of key {filled.key.id} ")

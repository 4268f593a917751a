import os
import time
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from server.brakes import Brake, Brakes, pull, release
from server.errors import SuspendedError
from server.storage.database import Database
from server.storage.tables import stores, tenant_keys
from server.telemetry.metrics import Metrics
from server.tenancy.keys import TenantKey, hash_secret, place_of, seal_secret
from server.tenancy.lookup import RefusedError
from server.tenancy.stores import Stores
from server.tenancy.tenants import TenantExistsError, Tenants
from server.tenancy.vault import Vault
from tests.unit.server.parts import FakeClock, sample


def selects(metrics: Metrics) -> float:
    return sample(metrics, "db_query_duration_seconds_count", operation="select")


async def test_a_key_names_its_tenant(tenants: Tenants) -> None:
    first, first_key = await tenants.create("first")
    second, second_key = await tenants.create("second")
    assert await tenants.authenticate(str(first_key)) == first
    assert await tenants.authenticate(str(second_key)) == second
    assert first.tenant_id != second.tenant_id


async def test_one_name_is_one_tenant(tenants: Tenants) -> None:
    await tenants.create("shop")
    with pytest.raises(TenantExistsError, match="shop"):
        await tenants.create("shop")
    assert await tenants.count() == 1


async def test_no_wrong_key_gets_in_and_each_kind_is_counted(tenants: Tenants, metrics: Metrics) -> None:
    _, key = await tenants.create("shop")
    other = TenantKey.generate()
    wrong: dict[str, list[str | None]] = {
        "missing": [None, ""],
        "malformed": ["nonsense", str(key)[:-1], f"{key} "],
        "unknown": [str(other)],
        "wrong": [str(TenantKey(key.id, other.secret))],
    }
    for reason, texts in wrong.items():
        for text in texts:
            assert await tenants.authenticate(text) is None
        assert sample(metrics, "auth_attempts_total", status=reason) == len(texts)
    assert await tenants.authenticate(str(key)) is not None
    assert sample(metrics, "auth_attempts_total", status="success") == 1


async def test_a_bogus_key_creates_nothing(tenants: Tenants) -> None:
    await tenants.create("shop")
    for _ in range(20):
        assert await tenants.authenticate(str(TenantKey.generate())) is None
    assert await tenants.count() == 1


async def test_one_look_up_whatever_the_number_of_tenants(tenants: Tenants, metrics: Metrics) -> None:
    keys = [(await tenants.create(f"tenant {number}"))[1] for number in range(60)]
    before = selects(metrics)
    for key in keys:
        assert await tenants.authenticate(str(key)) is not None
        assert await tenants.authenticate(str(TenantKey.generate())) is None
    assert selects(metrics) - before == 2 * len(keys) + 4  # once for the brakes, and whether the master key fits


async def test_a_known_key_costs_no_look_up_within_half_a_second(
    tenants: Tenants, metrics: Metrics, clock: FakeClock
) -> None:
    _, key = await tenants.create("shop")
    before = selects(metrics)
    for _ in range(100):
        assert await tenants.authenticate(str(key)) is not None
        clock.advance(0.0049)
    assert selects(metrics) - before == 5  # the key, the brakes, and whether the master key fits


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
async def test_a_key_that_was_withdrawn_stops_within_half_a_second(
    column: str, tenants: Tenants, database: Database, clock: FakeClock
) -> None:
    _, key = await tenants.create("shop")
    assert await tenants.authenticate(str(key)) is not None
    async with database.write() as connection:
        await connection.execute(update(tenant_keys).values({column: time.time_ns() // 1_000_000 - 1}))
    clock.advance(0.5)
    assert await tenants.authenticate(str(key)) is None


async def test_the_secret_is_not_in_the_database(tenants: Tenants, database: Database, database_file: Path) -> None:
    _, key = await tenants.create("shop")
    await database.close()
    stored = b"".join(path.read_bytes() for path in database_file.parent.glob("app.db*"))
    assert key.id.encode() in stored
    assert key.secret.encode() not in stored


async def test_a_key_is_worth_nothing_under_another_master_key(
    tenants: Tenants, database: Database, brakes: Brakes
) -> None:
    _, key = await tenants.create("shop")
    elsewhere = Tenants(database, Vault(bytes(32)), brakes, Metrics("0", "development"))
    assert await elsewhere.authenticate(str(key)) is None


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(32), id="zeros"),
        pytest.param(os.urandom(7), id="short noise"),
        pytest.param(os.urandom(200), id="noise"),
        pytest.param("t" * 32, id="text"),
        pytest.param(None, id="sealed, of a wrong length"),
    ],
)
async def test_a_damaged_hash_lets_nobody_in_and_harms_no_other_key(
    damaged: bytes | str | None, tenants: Tenants, database: Database, vault: Vault
) -> None:
    caller, key = await tenants.create("damaged")
    other, other_key = await tenants.create("other")
    stored = vault.seal(caller.tenant_id, place_of(key.id), bytes(63)) if damaged is None else damaged
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE tenant_keys SET secret_hash = ? WHERE id = ?", (stored, key.id))
    assert await tenants.authenticate(str(key)) is None
    assert await tenants.authenticate(str(other_key)) == other


async def test_a_hash_of_the_first_release_is_accepted_under_any_of_the_master_keys(
    database: Database, brakes: Brakes, vault: Vault, tenants: Tenants
) -> None:
    caller, key = await tenants.create("old")
    async with database.write() as connection:
        await connection.execute(
            update(tenant_keys).values(secret_hash=hash_secret(vault.first_peppers[0], key.secret))
        )
    assert await tenants.authenticate(str(key)) == caller
    assert await tenants.authenticate(str(TenantKey(key.id, TenantKey.generate().secret))) is None


async def test_a_suspended_tenant_is_told_so_and_only_with_its_right_key(
    tenants: Tenants, database: Database, clock: FakeClock
) -> None:
    caller, key = await tenants.create("shop")
    _, other_key = await tenants.create("other")
    async with database.write() as connection:
        await pull(connection, Brake("tenant", caller.tenant_id, "suspended", "r"))
    with pytest.raises(SuspendedError):
        await tenants.authenticate(str(key))
    assert await tenants.authenticate(str(TenantKey(key.id, TenantKey.generate().secret))) is None
    assert await tenants.authenticate(str(other_key)) is not None
    async with database.write() as connection:
        await release(connection, "tenant", caller.tenant_id, "suspended")
    clock.advance(0.5)
    assert await tenants.authenticate(str(key)) == caller


async def test_a_tenant_is_active_for_five_minutes_after_its_last_call(
    tenants: Tenants, metrics: Metrics, clock: FakeClock
) -> None:
    _, key = await tenants.create("shop")
    assert sample(metrics, "active_tenants_total") == 0
    await tenants.authenticate(str(key))
    clock.advance(299)
    assert sample(metrics, "active_tenants_total") == 1
    clock.advance(2)
    assert sample(metrics, "active_tenants_total") == 0


STRANGER = Vault(os.urandom(32))


async def test_nobody_gets_in_where_the_master_keys_are_another_database_s(
    tenants: Tenants, database: Database, vault: Vault, brakes: Brakes, clock: FakeClock
) -> None:
    """A key that was sealed here under a stranger's master key does not open the server of that master key."""
    caller, key = await tenants.create("shop")
    other = TenantKey.generate()
    async with database.write() as connection:
        await connection.execute(
            insert(tenant_keys).values(
                id=other.id,
                tenant_id=caller.tenant_id,
                secret_hash=seal_secret(STRANGER, caller.tenant_id, other),
                created_at=0,
            )
        )
    await Stores(database, vault, clock).register(caller.tenant_id, "1", "api-key", "Shop", None)
    elsewhere = Tenants(database, STRANGER, brakes, Metrics("0", "development"), clock)
    for text in (str(other), str(key)):
        assert await elsewhere.authenticate(text) is None
    assert await tenants.authenticate(str(key)) == caller
    assert await tenants.authenticate(str(other)) is None


async def test_a_damaged_store_says_nothing_about_the_master_key(
    tenants: Tenants, database: Database, vault: Vault, clock: FakeClock
) -> None:
    caller, key = await tenants.create("shop")
    await Stores(database, vault, clock).register(caller.tenant_id, "1", "api-key", "Shop", None)
    async with database.write() as connection:
        await connection.execute(update(stores).values(sealed_api_key=b"\0"))
    assert await tenants.authenticate(str(key)) == caller
    await tenants.create("another")


async def test_a_tenant_is_not_made_under_another_database_s_master_key(
    tenants: Tenants, database: Database, brakes: Brakes
) -> None:
    await tenants.create("shop")
    elsewhere = Tenants(database, STRANGER, brakes, Metrics("0", "development"))
    with pytest.raises(RefusedError, match="MASTER_KEY is not the one"):
        await elsewhere.create("another")
    assert await tenants.count() == 1

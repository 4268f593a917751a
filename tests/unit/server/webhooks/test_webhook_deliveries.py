import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from sqlalchemy import update

from server import webhooks as module
from server.cache import Cache, Key
from server.storage import tables
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Store, Stores
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from server.webhooks import RETRY_WINDOW_SECONDS, Delivery, Webhooks
from tests.unit.server.parts import FakeClock, Recorded, sample

Open = Callable[..., Awaitable[Store]]
ORDER = {"id": "7", "shipping": {"first_name": "Ada"}}


@pytest.fixture
def stores(database: Database, vault: Vault, clock: FakeClock) -> Stores:
    return Stores(database, vault, clock)


@pytest.fixture
def cache(metrics: Metrics) -> Cache:
    return Cache(1_000_000, metrics)


@pytest.fixture
def webhooks(
    stores: Stores, vault: Vault, cache: Cache, metrics: Metrics, recorded: Recorded, clock: FakeClock
) -> Webhooks:
    return Webhooks(stores, vault, cache, metrics, recorded.logger, clock=clock)


@pytest.fixture
def open_store(tenants: Tenants, stores: Stores) -> Open:
    """Register a store for a tenant of its own."""

    async def one(name: str, api_key: str = "key", store_id: str = "100") -> Store:
        caller, _ = await tenants.create(name)
        return await stores.register(caller.tenant_id, store_id, api_key, name, None)

    return one


def delivery(order: Any = ORDER, *, api_key: str = "key", store_id: str = "100", **changes: Any) -> Delivery:
    value = order if isinstance(order, bytes) else orjson.dumps(order)
    signature = hmac.new(api_key.encode(), value, hashlib.sha256).hexdigest()
    body = urlencode({"order": value}).encode()
    return replace(Delivery(store_id, signature, "application/x-www-form-urlencoded", body), **changes)


async def cached(cache: Cache, store: Store, resource_type: str = "orders", identity: str = "7") -> bool:
    """Whether it was in the cache; now it is."""

    async def fetch() -> bytes:
        return b"{}"

    return (await cache.get(Key.of(store, resource_type, identity), 1_000, fetch))[1]


async def test_a_verified_delivery_drops_the_order_and_the_lists_and_nothing_else(
    webhooks: Webhooks, open_store: Open, cache: Cache
) -> None:
    store, other = await open_store("a"), await open_store("b", "other", "200")
    kept = [(store, "orders", "8"), (store, "products", "7"), (other, "orders", "7"), (other, "order_lists", "x")]
    for place in [(store, "orders", "7"), (store, "order_lists", "x"), *kept]:
        await cached(cache, *place)
    assert await webhooks.receive(delivery()) == "accepted"
    assert not await cached(cache, store)
    assert not await cached(cache, store, "order_lists", "x")
    for place in kept:
        assert await cached(cache, *place)


@pytest.mark.parametrize("identity", [7, "7"])
async def test_an_id_is_a_string_or_an_integer(
    identity: object, webhooks: Webhooks, open_store: Open, cache: Cache
) -> None:
    store = await open_store("a")
    await cached(cache, store)
    assert await webhooks.receive(delivery({"id": identity})) == "accepted"
    assert not await cached(cache, store)


async def test_tenants_with_the_same_account_are_served_together(
    webhooks: Webhooks, open_store: Open, cache: Cache
) -> None:
    mine, theirs = await open_store("a"), await open_store("b")
    assert not await cached(cache, mine)
    assert not await cached(cache, theirs)
    assert await webhooks.receive(delivery()) == "accepted"
    assert not await cached(cache, mine)
    assert not await cached(cache, theirs)


async def test_one_tenant_s_api_key_speaks_for_its_own_account_only(
    webhooks: Webhooks, open_store: Open, cache: Cache
) -> None:
    mine, theirs = await open_store("a", "mine"), await open_store("b", "theirs")
    await cached(cache, mine)
    await cached(cache, theirs)
    assert await webhooks.receive(delivery(api_key="theirs")) == "accepted"
    assert await cached(cache, mine)
    assert not await cached(cache, theirs)


async def test_an_api_key_of_another_store_is_refused(webhooks: Webhooks, open_store: Open) -> None:
    await open_store("a", "mine", "100")
    await open_store("b", "theirs", "200")
    assert await webhooks.receive(delivery(api_key="theirs")) == "refused"


@pytest.mark.parametrize(
    "wrong",
    [
        {"signature": "0" * 64},
        {"signature": ""},
        {"signature": "\udcff" * 64},
        {"signature": "é" * 64},
        {"store_id": "999"},
        {"store_id": ""},
        {"store_id": "1" * 60_000},
        {"store_id": "Ada Lovelace"},
        {"body": b"order=%7B%7D"},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
async def test_a_delivery_that_is_not_signed_changes_nothing(
    wrong: dict[str, Any], webhooks: Webhooks, open_store: Open, cache: Cache, metrics: Metrics
) -> None:
    store = await open_store("a")
    await cached(cache, store)
    assert await webhooks.receive(delivery(**wrong)) == "refused"
    assert await cached(cache, store)
    assert sample(metrics, "webhook_deliveries_total", outcome="refused") == 1


async def test_a_signature_in_capitals_is_the_same_signature(webhooks: Webhooks, open_store: Open) -> None:
    await open_store("a")
    assert await webhooks.receive(delivery(signature=delivery().signature.upper())) == "accepted"
    assert await webhooks.receive(delivery()) == "duplicate"


async def test_a_repeated_delivery_is_recognised_for_as_long_as_orderdesk_repeats_it(
    webhooks: Webhooks, open_store: Open, cache: Cache, clock: FakeClock
) -> None:
    store = await open_store("a")
    assert await webhooks.receive(delivery()) == "accepted"
    await cached(cache, store)
    clock.advance(RETRY_WINDOW_SECONDS - 1)
    assert await webhooks.receive(delivery()) == "duplicate"
    assert not await cached(cache, store)
    clock.advance(2)
    assert await webhooks.receive(delivery()) == "accepted"


async def test_an_order_that_was_changed_back_is_as_fresh_as_any(
    webhooks: Webhooks, open_store: Open, cache: Cache
) -> None:
    store = await open_store("a")
    changed = {**ORDER, "shipping": {"first_name": "Grace"}}
    outcomes = []
    for order in (ORDER, changed, ORDER):
        outcomes.append(await webhooks.receive(delivery(order)))
        for resource_type, identity in (("orders", "7"), ("order_lists", "x")):
            assert not await cached(cache, store, resource_type, identity)
    assert outcomes == ["accepted", "accepted", "duplicate"]


async def test_another_store_s_delivery_with_the_same_hash_is_none(webhooks: Webhooks, open_store: Open) -> None:
    await open_store("a", "key", "100")
    await open_store("b", "key", "200")
    assert await webhooks.receive(delivery()) == "accepted"
    assert await webhooks.receive(delivery(store_id="200")) == "accepted"


async def test_only_so_many_deliveries_are_remembered(
    webhooks: Webhooks, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 5)
    await open_store("a")
    for number in range(1, 20):
        assert await webhooks.receive(delivery({"id": number})) == "accepted"
    assert len(webhooks._seen) <= 6


@pytest.mark.parametrize(
    "order", [b"", b"not JSON", b"[]", b"{}", b'{"id":""}', b'{"id":true}', b'{"id":{}}', b"[" * 5_000]
)
async def test_a_signed_order_without_an_id_is_malformed(order: bytes, webhooks: Webhooks, open_store: Open) -> None:
    await open_store("a")
    assert await webhooks.receive(delivery(order)) == "malformed"


async def test_a_form_without_an_order_is_malformed_whoever_sends_it(webhooks: Webhooks) -> None:
    assert await webhooks.receive(delivery(body=b"other=1")) == "malformed"


async def test_unsigned_deliveries_can_use_up_a_share_only_and_signed_ones_none_of_it(
    webhooks: Webhooks, open_store: Open, clock: FakeClock
) -> None:
    await open_store("a")
    for number in range(1, 500):
        assert await webhooks.receive(delivery({"id": number})) == "accepted"
    outcomes = [await webhooks.receive(delivery(store_id=f"9{number}")) for number in range(300)]
    assert outcomes.count("refused") == module.UNVERIFIED_RESERVE_BYTES // module.LEAST_COST_BYTES
    assert outcomes[-1] == "limited"
    clock.advance(1)
    outcomes = [await webhooks.receive(delivery(store_id="999")) for _ in range(40)]
    assert outcomes.count("refused") == module.UNVERIFIED_BYTES_PER_SECOND // module.LEAST_COST_BYTES
    clock.advance(0.1)
    assert await webhooks.receive(delivery()) == "accepted"


async def test_unknown_ids_do_not_fill_the_memory(stores: Stores) -> None:
    for number in range(1_050):
        assert await stores.of_store_id(str(number)) == ()
    assert len(stores._of_store_id._values) <= 1_000


async def test_a_store_id_is_looked_up_once_a_second(
    stores: Stores, open_store: Open, clock: FakeClock, database: Database, vault: Vault
) -> None:
    elsewhere = Stores(database, vault, clock)
    assert await elsewhere.of_store_id("100") == ()
    store = await open_store("a")
    assert [found.id for found in await stores.of_store_id("100")] == [store.id]
    assert await elsewhere.of_store_id("100") == ()
    clock.advance(1.1)
    assert [found.id for found in await elsewhere.of_store_id("100")] == [store.id]


async def test_one_tenant_s_damaged_row_does_not_fail_another_s_delivery(
    webhooks: Webhooks, open_store: Open, database: Database
) -> None:
    damaged = await open_store("a")
    await open_store("b")
    async with database.write() as connection:
        await connection.execute(
            update(tables.stores).where(tables.stores.c.id == damaged.id).values(sealed_api_key=b"\0")
        )
    assert await webhooks.receive(delivery()) == "accepted"


async def test_the_log_names_registered_stores_and_outcomes_only(
    webhooks: Webhooks, open_store: Open, recorded: Recorded
) -> None:
    await open_store("a")
    await webhooks.receive(delivery())
    await webhooks.receive(delivery(signature="0" * 64))
    await webhooks.receive(delivery(store_id="Ada Lovelace"))
    assert [
        {name: value for name, value in entry.items() if name != "log_level"} for entry in recorded._capture.entries
    ] == [
        {"event": "webhook.received", "store_id": "100", "outcome": "accepted"},
        {"event": "webhook.received", "store_id": "100", "outcome": "refused"},
        {"event": "webhook.received", "store_id": None, "outcome": "refused"},
    ]

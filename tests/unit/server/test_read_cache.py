import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.cache import ENTRY_OVERHEAD_BYTES, RESOURCE_TYPES, Cache, Key
from server.telemetry.metrics import Metrics
from tests.unit.server.parts import FakeClock, sample, seeded

Fetch = Callable[[], Awaitable[bytes]]
TTL = 10.0
BUDGET = 64 * 1024


def key(identity: str = "1", *, upstream: str = "u1", tenant: str = "t1", kind: str = "orders") -> Key:
    return Key(upstream, tenant, f"{tenant}-store", kind, identity)


class Upstream:
    """Counts fetches; each answers with what the test set, once the gate is open."""

    def __init__(self) -> None:
        self.fetches = 0
        self.value = b"first"
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> bytes:
        self.fetches += 1
        value = self.value
        await self.gate.wait()
        return value


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
def cache(metrics: Metrics, clock: FakeClock) -> Cache:
    return Cache(BUDGET, metrics, clock)


def operations(metrics: Metrics, operation: str) -> float:
    return sum(
        sample(metrics, "cache_operations_total", operation=operation, resource_type=kind) for kind in RESOURCE_TYPES
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is on trial offers no event
            await asyncio.sleep(0)


async def test_a_value_is_fetched_once_and_says_that_it_was_cached(cache: Cache, upstream: Upstream) -> None:
    assert await cache.get(key(), TTL, upstream) == (b"first", False)
    assert await cache.get(key(), TTL, upstream) == (b"first", True)
    assert upstream.fetches == 1


async def test_a_value_is_kept_for_its_ttl_counted_from_the_start_of_its_fetch(
    cache: Cache, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.gate.clear()
    asked = asyncio.create_task(cache.get(key(), TTL, upstream))
    await until(lambda: upstream.fetches == 1)
    clock.advance(TTL - 1)
    upstream.gate.set()
    await asked
    clock.advance(0.9)
    assert await cache.get(key(), TTL, upstream) == (b"first", True)
    upstream.value = b"second"
    clock.advance(0.2)
    assert await cache.get(key(), TTL, upstream) == (b"second", False)


async def test_a_ttl_of_zero_keeps_nothing(cache: Cache, upstream: Upstream) -> None:
    for _ in range(3):
        assert await cache.get(key(), 0, upstream) == (b"first", False)
    assert upstream.fetches == 3


async def test_many_who_ask_at_once_share_one_fetch(cache: Cache, upstream: Upstream, metrics: Metrics) -> None:
    answers = await asyncio.gather(*(cache.get(key(), TTL, upstream) for _ in range(50)))
    assert answers == [(b"first", False)] * 50
    assert upstream.fetches == 1
    assert (operations(metrics, "miss"), operations(metrics, "join")) == (1, 49)


async def test_one_who_gives_up_does_not_take_the_fetch_from_the_others(cache: Cache, upstream: Upstream) -> None:
    upstream.gate.clear()
    hasty = asyncio.create_task(cache.get(key(), TTL, upstream))
    await until(lambda: upstream.fetches == 1)
    patient = asyncio.create_task(cache.get(key(), TTL, upstream))
    await asyncio.sleep(0)
    hasty.cancel()
    upstream.gate.set()
    assert await patient == (b"first", False)
    with pytest.raises(asyncio.CancelledError):
        await hasty


async def test_a_failure_reaches_all_who_wait_and_is_not_kept(cache: Cache, upstream: Upstream) -> None:
    async def fail() -> bytes:
        await asyncio.sleep(0)
        raise OSError("broken")

    failures = await asyncio.gather(*(cache.get(key(), TTL, fail) for _ in range(3)), return_exceptions=True)
    assert [str(failure) for failure in failures] == ["broken"] * 3
    assert await cache.get(key(), TTL, upstream) == (b"first", False)


async def test_tenants_never_share_an_entry_even_of_one_account(cache: Cache, upstream: Upstream) -> None:
    await cache.get(key(tenant="t1"), TTL, upstream)
    upstream.value = b"second"
    assert await cache.get(key(tenant="t2"), TTL, upstream) == (b"second", False)
    assert await cache.get(key(tenant="t1"), TTL, upstream) == (b"first", True)


async def test_tenants_never_join_each_others_fetch(cache: Cache, upstream: Upstream) -> None:
    await asyncio.gather(*(cache.get(key(tenant=tenant), TTL, upstream) for tenant in ("t1", "t2", "t3")))
    assert upstream.fetches == 3


async def test_invalidation_drops_exactly_what_was_named_for_every_tenant_of_the_account(
    cache: Cache, upstream: Upstream
) -> None:
    dropped = [key(tenant="t1"), key(tenant="t2")]
    kept = [key("2"), key(kind="order_lists"), key(upstream="u2"), key(kind="products")]
    for each in (*dropped, *kept):
        await cache.get(each, TTL, upstream)
    cache.invalidate("u1", "orders", "1")
    assert [(await cache.get(each, TTL, upstream))[1] for each in kept] == [True] * 4
    assert [(await cache.get(each, TTL, upstream))[1] for each in dropped] == [False] * 2


async def test_invalidation_without_an_identity_drops_the_whole_type_and_no_other(
    cache: Cache, upstream: Upstream
) -> None:
    lists = [key(str(number), kind="order_lists") for number in range(5)]
    for each in (*lists, key("9")):
        await cache.get(each, TTL, upstream)
    cache.invalidate("u1", "order_lists")
    assert (await cache.get(key("9"), TTL, upstream))[1] is True
    assert [(await cache.get(each, TTL, upstream))[1] for each in lists] == [False] * 5


async def test_a_fetch_that_an_invalidation_overtook_is_answered_and_not_kept(cache: Cache, upstream: Upstream) -> None:
    upstream.gate.clear()
    early = asyncio.create_task(cache.get(key(), TTL, upstream))
    await until(lambda: upstream.fetches == 1)
    upstream.value = b"second"
    cache.invalidate("u1", "orders", "1")
    late = asyncio.create_task(cache.get(key(), TTL, upstream))
    await until(lambda: upstream.fetches == 2)
    upstream.gate.set()
    assert await early == (b"first", False)
    assert await late == (b"second", False)
    assert await cache.get(key(), TTL, upstream) == (b"second", True)


async def test_an_invalidation_of_something_else_leaves_a_fetch_under_way_alone(
    cache: Cache, upstream: Upstream
) -> None:
    upstream.gate.clear()
    asked = asyncio.create_task(cache.get(key(), TTL, upstream))
    await until(lambda: upstream.fetches == 1)
    cache.invalidate("u1", "orders", "2")
    cache.invalidate("u1", "products")
    cache.invalidate("u2", "orders")
    upstream.gate.set()
    await asked
    assert await cache.get(key(), TTL, upstream) == (b"first", True)


async def test_the_least_recently_used_goes_first_when_the_budget_is_full(
    cache: Cache, upstream: Upstream, metrics: Metrics
) -> None:
    upstream.value = b"x" * (BUDGET // 4 - ENTRY_OVERHEAD_BYTES)
    for identity in "1234":
        await cache.get(key(identity), TTL, upstream)
    assert (await cache.get(key("1"), TTL, upstream))[1] is True
    await cache.get(key("5"), TTL, upstream)
    assert operations(metrics, "evict") == 1
    assert [(await cache.get(key(identity), TTL, upstream))[1] for identity in "1345"] == [True] * 4
    assert (await cache.get(key("2"), TTL, upstream))[1] is False
    assert sample(metrics, "cache_size_bytes", backend="memory") <= BUDGET


async def test_what_has_expired_gives_its_room_back_though_nobody_asks_for_it_again(
    cache: Cache, upstream: Upstream, clock: FakeClock, metrics: Metrics
) -> None:
    def held() -> float:
        return sample(metrics, "cache_items_total", resource_type="orders")

    for number in range(5):
        await cache.get(key(f"once-{number}"), TTL, upstream)
    await cache.get(key("settings", kind="store"), 30 * TTL, upstream)
    clock.advance(TTL - 1)
    # Used now, and no younger for it.
    await cache.get(key("once-0"), TTL, upstream)
    await cache.get(key("late"), TTL, upstream)
    assert held() == 6
    clock.advance(1)
    await cache.get(key("other", kind="products"), TTL, upstream)

    assert held() == 1
    assert operations(metrics, "expire") == 5
    assert operations(metrics, "evict") == 0
    assert sample(metrics, "cache_size_bytes", backend="memory") == 3 * (len(b"first") + ENTRY_OVERHEAD_BYTES)
    assert await cache.get(key("late"), TTL, upstream) == (b"first", True)
    assert await cache.get(key("settings", kind="store"), 30 * TTL, upstream) == (b"first", True)


async def test_a_value_larger_than_the_budget_is_answered_and_costs_no_other_its_place(
    cache: Cache, upstream: Upstream
) -> None:
    await cache.get(key("small"), TTL, upstream)
    upstream.value = b"x" * (BUDGET + 1)
    assert await cache.get(key("large"), TTL, upstream) == (upstream.value, False)
    assert await cache.get(key("small"), TTL, upstream) == (b"first", True)


async def test_the_health_probe_works_on_a_full_cache_and_costs_nobody_a_place(
    cache: Cache, upstream: Upstream, metrics: Metrics
) -> None:
    upstream.value = b"x" * (BUDGET // 4 - ENTRY_OVERHEAD_BYTES)
    for identity in "1234":
        await cache.get(key(identity), TTL, upstream)
    assert cache.probe() is True
    assert operations(metrics, "evict") == 0
    assert [(await cache.get(key(identity), TTL, upstream))[1] for identity in "1234"] == [True] * 4


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("get"),
            st.sampled_from(["t1", "t2"]),
            st.sampled_from(["orders", "order_lists"]),
            st.sampled_from("123"),
        ),
        st.tuples(st.just("write"), st.just(""), st.sampled_from(["orders", "order_lists"]), st.sampled_from("123")),
        st.tuples(st.just("wait"), st.just(""), st.just(""), st.sampled_from(["1", "4", "9"])),
    ),
    max_size=60,
)


@seeded
@given(steps=STEPS, budget=st.integers(1_200, 4_000))
def test_no_answer_is_older_than_its_ttl_or_than_a_write_and_the_metrics_equal_reality(
    steps: list[tuple[str, str, str, str]], budget: int
) -> None:
    metrics, clock = Metrics("0", "development"), FakeClock()
    cache = Cache(budget, metrics, clock)
    written: dict[tuple[str, str], int] = {}
    gets = hits = 0

    async def run() -> None:
        nonlocal gets, hits
        for step, tenant, kind, argument in steps:
            if step == "wait":
                clock.advance(float(argument))
            elif step == "write":
                written[kind, argument] = written.get((kind, argument), 0) + 1
                cache.invalidate("u1", kind, argument)
            else:
                version, fetched_at = written.get((kind, argument), 0), clock()

                async def fetch(value: str = f"{tenant} {version} {fetched_at}") -> bytes:
                    return value.encode() + b" " * 500

                value, cached = await cache.get(key(argument, tenant=tenant, kind=kind), TTL, fetch)
                owner, seen, at = value.decode().split()
                assert owner == tenant
                assert int(seen) == version
                assert clock() - float(at) < TTL
                gets, hits = gets + 1, hits + cached

    asyncio.run(run())
    held = cache._entries
    assert operations(metrics, "hit") == hits
    assert operations(metrics, "hit") + operations(metrics, "miss") == gets
    size = sum(len(entry.value) + ENTRY_OVERHEAD_BYTES for entry in held.values())
    assert sample(metrics, "cache_size_bytes", backend="memory") == size <= budget
    for kind in RESOURCE_TYPES:
        counted = sum(each.resource_type == kind for each in held)
        assert sample(metrics, "cache_items_total", resource_type=kind) == counted
    gone = sum(operations(metrics, operation) for operation in ("evict", "expire", "invalidate"))
    assert operations(metrics, "store") - gone == len(held)

import itertools

from hypothesis import given
from hypothesis import strategies as st

from server.limits import TenantLimiter, retry_after
from server.telemetry.metrics import OVERFLOW, TENANT_LABEL_LIMIT, Metrics
from tests.unit.server.parts import FakeClock, sample, seeded

COSTS = st.sampled_from([1, 2])
GAPS = st.one_of(st.just(0.0), st.floats(0.001, 0.5), st.floats(0.5, 300.0))
EPSILON = 1e-6


def limiter_of(requests_per_minute: int, *, limit: int = 10_000) -> tuple[TenantLimiter, FakeClock, Metrics]:
    metrics, clock = Metrics("0", "development"), FakeClock()
    return TenantLimiter(requests_per_minute, metrics, limit=limit, clock=clock), clock, metrics


@seeded
@given(rpm=st.integers(1, 600), asked=st.lists(st.tuples(GAPS, COSTS, st.integers(1, 400)), max_size=25))
def test_no_window_ever_holds_more_than_the_reserve_and_its_refill(
    rpm: int, asked: list[tuple[float, int, int]]
) -> None:
    limiter, clock, _ = limiter_of(rpm)
    granted: list[tuple[float, int]] = [(clock(), 0)]
    for gap, cost, times in asked:
        clock.advance(gap)
        granted.append((clock(), sum(cost for _ in range(times) if limiter.take("t", cost) == 0)))
    for first, last in itertools.combinations_with_replacement(range(len(granted)), 2):
        seconds = granted[last][0] - granted[first][0]
        spent = sum(cost for _, cost in granted[first : last + 1])
        assert spent <= 2 * rpm + seconds * rpm / 60 + EPSILON


@seeded
@given(rpm=st.integers(60, 600), gaps=st.lists(st.floats(0.001, 2.0), min_size=50, max_size=200), cost=COSTS)
def test_whoever_keeps_asking_is_served_at_least_99_percent_of_the_allowance(
    rpm: int, gaps: list[float], cost: int
) -> None:
    limiter, clock, _ = limiter_of(rpm)
    began, spent = clock(), 0
    for gap in [0.0, *gaps]:
        clock.advance(gap)
        while limiter.take("t", cost) == 0:
            spent += cost
    allowance = 2 * rpm + (clock() - began) * rpm / 60
    # A whole call cannot be had for the fraction of a token that is left.
    assert spent >= 0.99 * allowance - cost


@seeded
@given(rpm=st.integers(1, 10_000), cost=COSTS, refusals=st.integers(0, 50))
def test_a_refusal_spends_nothing_and_names_the_time_after_which_the_call_passes(
    rpm: int, cost: int, refusals: int
) -> None:
    limiter, clock, _ = limiter_of(rpm)
    while limiter.take("t", 2) == 0:
        pass
    waits = [limiter.take("t", cost) for _ in range(refusals + 1)]
    assert len(set(waits)) == 1
    clock.advance(waits[0] * 0.9)
    assert waits[0] == 0 or limiter.take("t", cost) > 0
    clock.advance(waits[0] * 0.1 + EPSILON)
    assert limiter.take("t", cost) == 0


def test_a_tenant_starts_with_twice_its_rate_in_reserve() -> None:
    limiter, _, metrics = limiter_of(120)
    assert [limiter.take("t", 1) for _ in range(240)] == [0] * 240
    assert limiter.take("t", 1) == 0.5
    assert sample(metrics, "rate_limit_hits_total", tenant_id="t", limit_type="tenant") == 1
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t") == 0


def test_the_tokens_that_the_metrics_show_are_those_that_are_there_when_they_are_read() -> None:
    limiter, clock, metrics = limiter_of(60)
    for _ in range(100):
        limiter.take("t", 1)
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t") == 20
    clock.advance(30)
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t") == 50
    clock.advance(1_000)
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t") == 120
    limiter.take("another", 1)  # by now the first is forgotten
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t") == 120


def test_tenants_without_a_label_of_their_own_show_the_fewest_tokens_among_them() -> None:
    limiter, _, metrics = limiter_of(60)
    for number in range(TENANT_LABEL_LIMIT + 3):
        limiter.take(f"t_{number}", 1)
    limiter.take(f"t_{TENANT_LABEL_LIMIT}", 50)
    limiter.take("t_0", 100)
    assert sample(metrics, "rate_limit_tokens_available", tenant_id=OVERFLOW) == 69
    assert sample(metrics, "rate_limit_tokens_available", tenant_id="t_0") == 19


def test_the_reserve_never_grows_beyond_its_size() -> None:
    limiter, clock, _ = limiter_of(60)
    limiter.take("t", 1)
    clock.advance(1e6)
    assert sum(limiter.take("t", 1) == 0 for _ in range(1_000)) == 120


def test_tenants_do_not_spend_each_others_tokens() -> None:
    limiter, _, _ = limiter_of(60)
    while limiter.take("greedy", 1) == 0:
        pass
    assert limiter.take("modest", 1) == 0


def test_a_tenant_that_has_refilled_is_forgotten_and_one_that_has_not_is_kept() -> None:
    limiter, clock, _ = limiter_of(60)
    for number in range(100):
        limiter.take(f"idle {number}", 1)
    clock.advance(60)
    while limiter.take("busy", 1) == 0:
        pass
    clock.advance(61)
    limiter.take("newcomer", 1)
    assert set(limiter._buckets) == {"busy", "newcomer"}
    assert sum(limiter.take("busy", 1) == 0 for _ in range(1_000)) == 61


def test_the_table_never_outgrows_its_limit_and_the_idlest_goes_first() -> None:
    limiter, clock, _ = limiter_of(60, limit=3)
    for name in ("a", "b", "c"):
        limiter.take(name, 1)
        clock.advance(0.1)
    limiter.take("a", 1)
    limiter.take("d", 1)
    assert set(limiter._buckets) == {"a", "c", "d"}


def test_a_retry_after_header_is_whole_seconds_and_never_too_short() -> None:
    assert [retry_after(seconds) for seconds in (0.001, 0.5, 1.0, 1.001, 59.2)] == [1, 1, 1, 2, 60]

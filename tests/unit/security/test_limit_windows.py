"""A true bucket, seen through answers of any delay, is never accused; one that gives more or less is."""

import contextlib
import random
from collections.abc import Callable

import pytest

from harness.errors import Inconclusive
from security.probe.limits.allowance import LONGEST_REST_SECONDS, rest
from security.probe.limits.bucket import Call, Fate, overdraft, shortfall
from security.probe.site import RateLimit

LIMIT = RateLimit(per_minute=300, burst=60)
FLOOD = 400
"""Calls a second, eighty times the refill."""


def flood(
    decide: Callable[[float], bool], *, seed: int = 1, seconds: float = 3.0, per_second: float = FLOOD
) -> list[Call]:
    """Calls at random times, each decided somewhere between its sending and its answer, in the order of deciding."""
    dice = random.Random(seed)
    times = []
    for _ in range(int(seconds * per_second)):
        sent = dice.uniform(0, seconds)
        decided = sent + dice.expovariate(200)
        times.append((decided, sent, decided + dice.expovariate(200)))
    return [
        Call(sent, answered, Fate.SERVED if decide(decided) else Fate.REFUSED)
        for decided, sent, answered in sorted(times)
    ]


def bucket(per_minute: float, burst: float) -> Callable[[float], bool]:
    level, at = burst, 0.0

    def decide(now: float) -> bool:
        nonlocal level, at
        level, at = min(burst, level + (now - at) * per_minute / 60), now
        if level < 1:
            return False
        level -= 1
        return True

    return decide


def fixed_window(calls: int, seconds: float) -> Callable[[float], bool]:
    counts: dict[int, int] = {}

    def decide(now: float) -> bool:
        window = int(now / seconds)
        counts[window] = counts.get(window, 0) + 1
        return counts[window] <= calls

    return decide


@pytest.mark.parametrize("seed", range(12))
def test_a_true_bucket_is_never_accused(seed: int) -> None:
    dice = random.Random(seed)
    limit = RateLimit(per_minute=dice.choice((60, 120, 300, 1200)), burst=dice.randrange(2, 120))
    per_second = limit.per_minute / 60 * dice.uniform(0.5, 20)
    calls = flood(bucket(limit.per_minute, limit.burst), seed=seed, per_second=per_second)
    assert overdraft(calls, limit) is None
    with contextlib.suppress(Inconclusive):  # too slow a flood is no accusation
        assert shortfall(calls, limit, full=True) is None


def test_a_flood_that_is_kept_up_settles_both_sides() -> None:
    calls = flood(bucket(LIMIT.per_minute, LIMIT.burst))
    assert overdraft(calls, LIMIT) is None
    assert shortfall(calls, LIMIT, full=True) is None


@pytest.mark.parametrize(("per_minute", "burst"), [(300, 62), (500, 60), (300, 600)])
def test_more_than_the_limit_is_told(per_minute: float, burst: float) -> None:
    window = overdraft(flood(bucket(per_minute, burst)), LIMIT)
    assert window is not None
    assert window.served > window.allowed


@pytest.mark.parametrize(("per_minute", "burst"), [(300, 55), (240, 60), (0, 60)])
def test_less_than_the_limit_is_told(per_minute: float, burst: float) -> None:
    calls = flood(bucket(per_minute, burst), seconds=6)
    assert overdraft(calls, LIMIT) is None
    window = shortfall(calls, LIMIT, full=True)
    assert window is not None
    assert window.served < window.allowed


def test_a_burst_that_may_have_been_used_before_is_not_asked_for() -> None:
    calls = flood(bucket(300, 55))
    assert shortfall(calls, LIMIT, full=False) is None


def test_a_window_that_begins_anew_is_told_though_it_gives_no_more_in_the_long_run() -> None:
    window = overdraft(flood(fixed_window(5, seconds=1)), LIMIT)
    assert window is not None
    assert window.drained


def test_a_window_that_is_longer_than_the_flood_is_told_by_what_it_does_not_give() -> None:
    calls = flood(fixed_window(60, seconds=100))
    assert overdraft(calls, LIMIT) is None
    assert shortfall(calls, LIMIT, full=True) is not None


def test_calls_that_are_never_refused_settle_nothing() -> None:
    with pytest.raises(Inconclusive, match="did not reach the limit"):
        shortfall(flood(lambda _now: True, seconds=0.1), LIMIT, full=True)


def test_calls_with_a_pause_in_which_the_bucket_may_overflow_settle_nothing() -> None:
    decide = bucket(LIMIT.per_minute, LIMIT.burst)
    early = flood(decide)
    late = [Call(sent := 60 + place / 100, sent + 0.01, fate) for place, fate in enumerate([Fate.SERVED, Fate.REFUSED])]
    with pytest.raises(Inconclusive, match="did not stay above the limit"):
        shortfall([*early, *late], LIMIT, full=True)


def test_a_burst_that_is_asked_for_too_slowly_settles_nothing() -> None:
    calls = [Call(place, place + 0.01, Fate.SERVED) for place in range(40)] + [Call(40, 40.01, Fate.REFUSED)]
    with pytest.raises(Inconclusive, match="more slowly"):
        shortfall(calls, LIMIT, full=True)


def test_slow_answers_stretch_the_window_in_which_calls_may_have_been_decided() -> None:
    quick = [Call(0, 0.01, Fate.REFUSED), *(Call(0.02, 0.03, Fate.SERVED) for _ in range(3))]
    slow = [Call(0, 0.01, Fate.REFUSED), *(Call(0.02, 0.5, Fate.SERVED) for _ in range(3))]
    assert overdraft(quick, LIMIT) is not None
    assert overdraft(slow, LIMIT) is None


@pytest.mark.parametrize(
    ("burst", "new", "apart", "refilled", "full"),
    [
        (60, False, False, 75, True),
        (1000, False, False, 20, False),
        (1000, True, False, 20, True),
        (1000, True, True, 1, True),
    ],
)
def test_a_bucket_rests_until_it_is_full_or_what_the_audit_took_is_there_again(
    *, burst: int, new: bool, apart: bool, refilled: int, full: bool
) -> None:
    seconds, known = rest(RateLimit(per_minute=300, burst=burst), new=new, apart=apart)
    assert seconds * 5 == pytest.approx(refilled)
    assert known is full
    assert seconds <= LONGEST_REST_SECONDS

"""The statistic is right where noise is not kind: heavy tails, drift, and a machine that stalls."""

import random

import pytest

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe.authentication.robust import Difference, Pair, difference
from security.probe.authentication.timing import CERTAIN_SECONDS, FEWEST, THRESHOLD_SECONDS, judge

PAIRS = 600


def noisy(chance: random.Random, longer: float, pairs: int, noise: float = 0.0001) -> list[Pair]:
    """Pairs whose times are a drifting base, a heavy tail and now and then a stall of 50 ms."""

    def took(drift: float) -> float:
        stall = 0.05 if chance.random() < 0.02 else 0.0
        return drift + noise * chance.paretovariate(1.5) + stall

    drifts = (0.001 + number / pairs / 1000 for number in range(pairs))
    return [(took(drift) + longer, took(drift)) for drift in drifts]


def outcome(pairs: list[Pair]) -> str:
    check = OpenCheck("authentication.timing", at_least=1, examined=1)
    try:
        judge(check, difference(pairs), None)
    except Inconclusive:
        return "inconclusive"
    return "failed" if check.findings else "passed"


def test_noise_alone_is_never_a_finding() -> None:
    chance = random.Random(7)
    outcomes = [outcome(noisy(chance, 0.0, PAIRS)) for _ in range(200)]
    assert set(outcomes) == {"passed"}


def test_more_noise_is_inconclusive_and_never_a_finding() -> None:
    chance = random.Random(8)
    assert {outcome(noisy(chance, 0.0, FEWEST, noise=0.002)) for _ in range(200)} == {"inconclusive"}


@pytest.mark.parametrize("sign", [1, -1])
def test_twice_the_threshold_is_found_whichever_takes_longer(sign: int) -> None:
    chance = random.Random(9)
    assert {outcome(noisy(chance, sign * 2 * THRESHOLD_SECONDS, PAIRS)) for _ in range(50)} == {"failed"}


def test_a_large_difference_is_found_in_few_pairs_and_much_noise() -> None:
    chance = random.Random(10)
    assert {outcome(noisy(chance, 0.02, FEWEST, noise=0.001)) for _ in range(50)} == {"failed"}


def test_the_bounds_hold_the_median_and_come_closer_with_more_pairs() -> None:
    chance = random.Random(11)
    few, many = (difference(noisy(chance, 0.0005, pairs)) for pairs in (200, 4_000))
    for seen in (few, many):
        assert seen.low < seen.median < seen.high
        assert seen.low < 0.0005 < seen.high
    assert many.uncertainty < few.uncertainty


@pytest.mark.parametrize("sign", [1, -1])
def test_a_small_difference_is_found_where_other_pairs_show_it_again(sign: int) -> None:
    chance = random.Random(12)
    longer = sign * 4 * CERTAIN_SECONDS
    rounds = [difference(noisy(chance, longer, 3_000, noise=0.00002)) for _ in range(2)]
    check = OpenCheck("authentication.timing", at_least=1, examined=1)
    judge(check, *rounds)
    assert [finding.severity for finding in check.findings] == [Severity.MEDIUM]


@pytest.mark.parametrize("again", [(-2, 1, 4), (-30, -20, -10), (1, 3, 4)], ids=["gone", "other side", "too small"])
def test_a_small_difference_that_is_not_seen_again_is_none(again: tuple[float, float, float]) -> None:
    check = OpenCheck("authentication.timing", at_least=1, examined=1)
    judge(check, seen(10, 20, 30), seen(*again))
    assert check.findings == []


def test_a_small_difference_that_could_not_be_measured_again_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="no time to measure it again"):
        judge(OpenCheck("authentication.timing", at_least=1, examined=1), seen(10, 20, 30), None)


def seen(low: float, median: float, high: float) -> Difference:
    """A difference of so many microseconds."""
    return Difference(median / 1e6, low / 1e6, high / 1e6, PAIRS)


def test_too_few_have_no_bounds() -> None:
    with pytest.raises(ValueError, match="10 pairs"):
        difference([(0.0, 0.0)] * 10)

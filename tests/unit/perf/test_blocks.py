"""Blocks of synthetic figures: what a slower head looks like under noise and drift, and what nothing looks like."""

import itertools
import math
import random
import statistics

import pytest

from perf.blocks import Effect, by_block, effect, quantile, turns

LIMIT = 10.0
RUNS = 100


def measured(seed: int, ratio: float, *, noise: float, blocks: int = 6, drift: float = 0.0) -> Effect:
    """The effect among 12 in a run on a machine that is noisy and gets slower by `drift` with each arm."""
    chance = random.Random(seed)
    clock = itertools.count()
    figures: dict[str, list[float]] = {"base": [], "head": []}
    for pair in turns(2 * blocks):
        for side in pair:
            true = 1e-5 * (ratio if side == "head" else 1.0)
            figures[side].append(true * math.exp(chance.gauss(drift * next(clock), noise)))
    base, head = (by_block(figures[side], statistics.geometric_mean) for side in ("base", "head"))
    return effect(base, head, comparisons=12)


def test_two_pairs_are_a_block_abba() -> None:
    assert list(itertools.chain(*turns(4))) == ["base", "head", "head", "base"] * 2


@pytest.mark.parametrize("drift", [0.0, 0.02])
def test_a_head_slower_by_30_percent_is_found_10_of_10_times(drift: float) -> None:
    found = [measured(seed, 1.3, noise=0.05, drift=drift).exceeds(LIMIT) for seed in range(RUNS)]
    assert all(any(found[start : start + 10]) for start in range(0, RUNS, 10))
    assert found == [True] * RUNS


@pytest.mark.parametrize("noise", [0.02, 0.1, 1.0])
def test_equal_sides_fail_less_than_1_run_of_12_comparisons_in_10(noise: float) -> None:
    failed = sum(
        any(measured(1_000 * run + number, 1.0, noise=noise).exceeds(LIMIT) for number in range(12))
        for run in range(RUNS)
    )
    assert failed < RUNS / 10


def test_what_drifts_evenly_is_no_effect() -> None:
    assert measured(1, 1.0, noise=0.0, drift=0.05).ratio == pytest.approx(1.0)


def test_a_quicker_head_and_a_small_loss_do_not_fail() -> None:
    assert not measured(1, 0.7, noise=0.02).exceeds(LIMIT)
    small = measured(1, 1.05, noise=0.001)
    assert small.low > 1
    assert not small.exceeds(LIMIT)


def test_a_large_effect_whose_interval_holds_1_does_not_fail() -> None:
    effect = Effect(ratio=1.5, low=0.9, high=2.5, smallest=1.8, blocks=6)
    assert not effect.exceeds(LIMIT)


def test_the_smallest_effect_told_is_seen_about_4_times_in_5() -> None:
    smallest = math.exp(sum(math.log(measured(seed, 1.0, noise=0.05).smallest) for seed in range(RUNS)) / RUNS)
    seen = sum(measured(seed, smallest, noise=0.05).low > 1 for seed in range(RUNS))
    assert 0.6 < seen / RUNS < 0.95


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.975, 1, 12.706), (0.975, 2, 4.303), (0.975, 5, 2.571), (0.8, 5, 0.920), (0.995, 6, 3.707), (0.95, 30, 1.697)],
)
def test_quantiles_are_those_of_the_tables(probability: float, freedom: int, expected: float) -> None:
    assert quantile(probability, freedom) == pytest.approx(expected, abs=0.0006)


def test_a_block_has_two_figures_of_a_side() -> None:
    assert by_block([3.0, 2.0, 5.0, 7.0], min) == [2.0, 5.0]
    with pytest.raises(ValueError, match="argument"):
        by_block([1.0, 2.0, 3.0], min)


@pytest.mark.parametrize(("base", "head"), [(0, 0), (1, 1), (3, 4)])
def test_less_than_two_blocks_and_sides_of_unequal_length_are_refused(base: int, head: int) -> None:
    with pytest.raises(ValueError, match="two blocks"):
        effect([1.0] * base, [1.0] * head)

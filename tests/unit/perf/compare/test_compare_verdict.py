"""From slices to checks: a planted loss is found, equal sides pass, and what noise hides or is missing never passes."""

import math
import random
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.blocks import SIDES, Side
from perf.compare.generator import Slice
from perf.compare.judge import Arms, judge_arms
from perf.compare.model import CompareTable

TABLE = CompareTable()
PASSED, FAILED, INCONCLUSIVE = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.INCONCLUSIVE
FIGURES = ("processor_time", "seconds_per_call", "p95")


def arms(
    *, ratio: float = 1.0, waits: float = 1.0, noise: float = 0.03, generator: float = 0.2, seed: int = 1
) -> dict[Side, list[list[Slice]]]:
    """12 pairs on a machine whose speed is another in each pair; head takes `ratio` the work, and `waits` as long."""
    chance = random.Random(seed)
    found: dict[Side, list[list[Slice]]] = {side: [] for side in SIDES}
    for _ in range(12):
        machine = math.exp(chance.gauss(0, 0.3))
        for side in SIDES:
            work, long = (ratio, waits) if side == "head" else (1.0, 1.0)
            cost = 2e-4 * work * machine * math.exp(chance.gauss(0, noise))
            calls = round(0.25 / (cost * long))
            found[side].append([Slice(calls, 0.25, 0.25 * generator, calls * cost, 16 * cost * long)] * 8)
    return found


def judged(folder: Path, measured: Arms) -> dict[str, Check]:
    run = Run(folder, SilentProgress())
    judge_arms(run, measured, TABLE)
    return {check.id: check for check in run.checks}


def test_equal_sides_pass_and_tell_ratio_interval_and_what_could_have_been_seen(tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    judge_arms(run, arms(), TABLE)

    assert {check.status for check in run.checks} == {PASSED}
    (evidence,) = next(check.evidence for check in run.checks if check.id == "processor_time")
    assert "times base (" in evidence
    assert "in 6 blocks; the smallest loss that could have been seen is " in evidence
    for figure in FIGURES:
        of = [found for found in run.measurements if found.labels == {"figure": figure}]
        told = {found.statistic: found.value for found in of}
        assert told["low"] < told["mean"] < told["high"]
        assert 1 < told["smallest_visible"] < 1.15
        assert {found.samples for found in of} == {6}


def test_a_head_that_takes_30_percent_more_fails_10_of_10_times(tmp_path: Path) -> None:
    checks = [judged(tmp_path, arms(ratio=1.3, seed=seed)) for seed in range(10)]
    assert [each["processor_time"].status for each in checks] == [FAILED] * 10
    assert checks[0]["processor_time"].reason.startswith("head takes 1.")


def test_equal_sides_fail_at_most_once_in_10_whatever_the_noise(tmp_path: Path) -> None:
    for noise in (0.02, 0.1, 0.5):
        runs = [judged(tmp_path, arms(noise=noise, seed=seed)) for seed in range(40)]
        assert sum(any(check.status is FAILED for check in run.values()) for run in runs) <= 4


def test_a_head_that_waits_without_working_fails_by_its_rate(tmp_path: Path) -> None:
    statuses = {name: check.status for name, check in judged(tmp_path, arms(waits=2.0)).items()}
    assert statuses == {"generator": PASSED, "processor_time": PASSED, "seconds_per_call": FAILED, "p95": FAILED}


def test_a_small_loss_and_a_gain_pass(tmp_path: Path) -> None:
    for ratio in (1.04, 0.5):
        assert {check.status for check in judged(tmp_path, arms(ratio=ratio, noise=0.01)).values()} == {PASSED}


def test_noise_that_would_hide_a_loss_is_inconclusive(tmp_path: Path) -> None:
    checks = judged(tmp_path, arms(noise=0.8))
    assert checks["processor_time"].status is INCONCLUSIVE
    assert "too noisy" in checks["processor_time"].reason


def test_a_generator_that_may_have_been_the_limit_is_inconclusive(tmp_path: Path) -> None:
    checks = judged(tmp_path, arms(generator=0.75))

    # What it made of the figures is told by none of them.
    assert {name: check.status for name, check in checks.items()} == {"generator": INCONCLUSIVE}


def test_without_a_block_nothing_is_judged(tmp_path: Path) -> None:
    checks = judged(tmp_path, {side: [] for side in arms()})

    assert {name: check.status for name, check in checks.items()} == {"generator": INCONCLUSIVE}


def test_less_than_two_blocks_are_inconclusive(tmp_path: Path) -> None:
    few = {side: measured[:2] for side, measured in arms().items()}
    statuses = {name: check.status for name, check in judged(tmp_path, few).items()}
    assert {statuses[figure] for figure in FIGURES} == {INCONCLUSIVE}


def test_a_side_that_measured_nothing_is_inconclusive(tmp_path: Path) -> None:
    statuses = {name: check.status for name, check in judged(tmp_path, {**arms(), "head": []}).items()}
    assert {statuses[figure] for figure in FIGURES} == {INCONCLUSIVE}


@pytest.mark.parametrize("server_seconds", [0.0, -1.0])
def test_processor_time_that_was_not_read_is_inconclusive(tmp_path: Path, server_seconds: float) -> None:
    unread = [[Slice(100, 0.25, 0.05, server_seconds, 0.002)] * 8] * 12
    assert judged(tmp_path, {**arms(), "head": unread})["processor_time"].status is INCONCLUSIVE


def test_a_percentile_of_few_answers_is_inconclusive(tmp_path: Path) -> None:
    measured = {
        side: [[Slice(12, 0.25, 0.01, 0.1, 0.02)] * 8 for _ in range(12)]
        if side == "base"
        else [[Slice(13, 0.25, 0.01, 0.1, 0.02)] * 8 for _ in range(12)]
        for side in SIDES
    }
    checks = judged(tmp_path, measured)

    assert checks["p95"].status is INCONCLUSIVE
    assert "a server gave 96 answers, 100 are needed" in checks["p95"].reason
    assert checks["processor_time"].status is PASSED

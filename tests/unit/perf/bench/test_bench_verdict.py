"""From figures to checks: each gate fails once, and nothing that was not measured passes."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.bench.judge import Arms, judge_alone, judge_names, judge_speed
from perf.bench.model import BenchTable, Stats
from perf.blocks import Side

TABLE = BenchTable(blocks=6, minimum_rounds=20, slower_percent=10, visible_percent=30)
NAME = "tests/benchmarks/test_cache_benchmark.py::test_hit[modern]"
CHECK = "test_cache_benchmark.py::test_hit_modern_"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


def stats(seconds: float = 1e-5, rounds: int = 100) -> Stats:
    return Stats(min=seconds / 2, median=seconds, rounds=rounds)


def arms(ratio: float, *, noise: float = 0.01) -> dict[Side, list[Mapping[str, Stats]]]:
    chance = random.Random(1)

    def side(factor: float) -> list[Mapping[str, Stats]]:
        return [{NAME: stats(1e-5 * factor * (1 + chance.gauss(0, noise)))} for _ in range(12)]

    return {"base": side(1.0), "head": side(ratio)}


def speed(run: Run, measured: Arms) -> Check:
    judge_speed(run, {NAME}, measured, TABLE)
    (check,) = run.checks
    assert check.id == CHECK
    return check


def test_equal_sides_pass_and_tell_ratio_interval_and_what_could_have_been_seen(run: Run) -> None:
    assert speed(run, arms(1.0)).status is CheckStatus.PASSED
    told = {measurement.statistic: measurement.value for measurement in run.measurements}
    assert told["low"] < 1 < told["high"]
    assert told["low"] < told["mean"] < told["high"]
    assert 1 < told["smallest_visible"] < 1.1


def test_a_head_that_is_surely_slower_fails(run: Run) -> None:
    check = speed(run, arms(1.3))
    assert check.status is CheckStatus.FAILED
    assert check.reason.startswith("head takes 1.3")


def test_a_loss_within_the_limit_and_a_gain_pass(tmp_path: Path) -> None:
    for ratio in (1.05, 0.5):
        assert speed(Run(tmp_path, SilentProgress()), arms(ratio)).status is CheckStatus.PASSED


def test_noise_that_would_hide_a_loss_is_inconclusive(run: Run) -> None:
    check = speed(run, arms(1.0, noise=0.3))
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "too noisy" in check.reason


def test_a_gain_so_large_that_noise_cannot_hide_a_loss_passes(run: Run) -> None:
    assert speed(run, arms(0.1, noise=0.2)).status is CheckStatus.PASSED


@pytest.mark.parametrize("side", ["base", "head"])
def test_a_benchmark_that_did_not_pass_in_one_process_is_inconclusive(run: Run, side: Side) -> None:
    measured = arms(1.0)
    measured[side][3] = {}
    check = speed(run, measured)
    assert (check.status, check.reason) == (CheckStatus.INCONCLUSIVE, "did not pass in 1 of 12 processes: see logs/")


def test_too_few_rounds_are_inconclusive(run: Run) -> None:
    measured = arms(1.0)
    measured["head"][3] = {NAME: stats(rounds=19)}
    check = speed(run, measured)
    assert (check.status, check.reason) == (CheckStatus.INCONCLUSIVE, "ran in 19 rounds, 20 needed")


def test_a_benchmark_that_disappeared_fails_and_a_new_one_does_not(run: Run) -> None:
    judge_names(run, {"a", "gone"}, {"a", "new"})
    statuses = {check.id: check.status for check in run.checks}
    assert statuses == {"benchmarks": CheckStatus.FAILED, "new": CheckStatus.NOT_APPLICABLE}
    assert [found.location for found in run.checks[0].findings] == ["gone"]


def test_a_base_without_a_single_benchmark_is_inconclusive(run: Run) -> None:
    judge_names(run, set(), {"new"})
    assert run.checks[0].status is CheckStatus.INCONCLUSIVE


def test_alone_each_benchmark_needs_its_rounds(run: Run) -> None:
    judge_alone(run, {"a", "b", "c"}, {"a": stats(), "b": stats(rounds=3)}, TABLE)
    assert {check.id: check.status for check in run.checks} == {
        "a": CheckStatus.PASSED,
        "b": CheckStatus.INCONCLUSIVE,
        "c": CheckStatus.INCONCLUSIVE,
    }
    assert [(found.name, found.value, found.samples) for found in run.measurements] == [("bench.seconds", 1e-5, 100)]


@pytest.mark.parametrize("wrong", [{"blocks": 2}, {"slower_percent": 0}, {"minimum_rounds": 0}, {"round": 3}])
def test_a_table_that_could_judge_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        BenchTable.model_validate(wrong)

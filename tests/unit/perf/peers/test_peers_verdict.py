"""From measured pairs to a verdict: the ratio with its spread, and a generator that must not have been the limit."""

import dataclasses
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.peers.blocks import Counted, Pair
from perf.peers.compare import Bars, judge_pairs
from perf.peers.counts import Reading
from perf.peers.plan import Outcome, Plan, ToolCall

READING = Reading(0, 0, 0, 0)


def outcome(rate: float, share: float = 0.3) -> Outcome:
    """A block of three seconds on a server that had its processor to itself."""
    calls = round(rate * 3)
    return Outcome(calls, calls, calls, seconds=3.0, generator_seconds=3 * share, server_seconds=3.0)


def judged(tmp_path: Path, rates: list[tuple[float, float]], share: float = 0.3) -> Run:
    run = Run(tmp_path, SilentProgress())
    pairs = [Pair(Counted("t", outcome(ours, share), READING, READING, 0), outcome(peer)) for ours, peer in rates]
    judge_pairs(run, pairs, Bars())
    return run


def status(run: Run, check_id: str) -> CheckStatus:
    return next(check.status for check in run.checks if check.id == check_id)


def measured(run: Run, name: str, statistic: str) -> float:
    return next(each.value for each in run.measurements if (each.name, each.statistic) == (name, statistic))


def test_the_median_of_the_pairs_decides_and_their_spread_is_shown(tmp_path: Path) -> None:
    run = judged(tmp_path, [(5000, 500), (2000, 500), (6000, 500)])

    assert status(run, "peers.ratio.median") is CheckStatus.PASSED
    assert [measured(run, "peers.ratio", each) for each in ("lowest", "median", "highest")] == [4.0, 10.0, 12.0]
    assert measured(run, "peers.processor_time_ratio", "value") == pytest.approx(13_000 / 1500)


def test_a_ratio_below_the_bar_fails(tmp_path: Path) -> None:
    assert status(judged(tmp_path, [(3990, 500)] * 6), "peers.ratio.median") is CheckStatus.FAILED


def test_a_ratio_at_the_bar_passes(tmp_path: Path) -> None:
    assert status(judged(tmp_path, [(4000, 500)] * 6), "peers.ratio.median") is CheckStatus.PASSED


@pytest.mark.parametrize(("share", "expected"), [(0.69, CheckStatus.PASSED), (0.71, CheckStatus.INCONCLUSIVE)])
def test_a_generator_that_may_have_been_the_limit_is_inconclusive(
    tmp_path: Path, share: float, expected: CheckStatus
) -> None:
    assert status(judged(tmp_path, [(5000, 500)] * 6, share), "generator") is expected


def test_a_plan_survives_its_file_and_shows_no_key() -> None:
    call = ToolCall("add", {"a": 1}, {"result": 1})
    plan = Plan("127.0.0.1", 80, "a-key", "2025-11-25", 2, 1.5, 0, 1, (call,))

    assert Plan.load(plan.dump()) == plan
    assert "a-key" not in repr(dataclasses.replace(plan, seconds=2))

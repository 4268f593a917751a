"""What was seen of a cache, judged: too old, behind a write of our own, too large; or not seen at all."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.caching.costs import costs_of
from perf.caching.judge import ALL, Seen, judge_seen, table_of
from perf.caching.memory import Filled, judge_memory
from perf.caching.model import MemoryTable
from perf.caching.questions import READINGS, ask
from perf.caching.truth import Answer, Judged

GET = ask("orders_get", order_id="7")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


def judged(age: float, *, cached: bool = True, tested: bool = True, overlooked: bool = False) -> Judged:
    return Judged(Answer(GET, 1.0, 1.5, cached, {}, "r"), age, tested, overlooked)


def seen(*answers: Judged) -> Seen:
    costs = {name: costs_of(answers, []) for name in (*READINGS, ALL)}
    return Seen("2 s", {each.kind: 2.0 for each in READINGS.values()}, answers, 0.5, 3, costs, 1.5, 0.25)


def checks(run: Run, *answers: Judged) -> dict[str, CheckStatus]:
    judge_seen(run, [seen(*answers)])
    return {check.id: check.status for check in run.checks}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (judged(2.0), CheckStatus.PASSED),
        (judged(2.01), CheckStatus.FAILED),
        (judged(2.5, cached=False), CheckStatus.PASSED),
        (judged(2.51, cached=False), CheckStatus.FAILED),
        (judged(float("nan"), cached=False), CheckStatus.FAILED),
        (judged(0.0), CheckStatus.INCONCLUSIVE),
    ],
)
def test_an_answer_may_be_as_old_as_its_time_to_live(run: Run, given: Judged, status: CheckStatus) -> None:
    assert checks(run, given)["age"] is status


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (judged(1.0), CheckStatus.PASSED),
        (judged(1.0, overlooked=True), CheckStatus.FAILED),
        (judged(1.0, tested=False), CheckStatus.INCONCLUSIVE),
    ],
)
def test_an_own_write_must_be_seen(run: Run, given: Judged, status: CheckStatus) -> None:
    assert checks(run, given)["own_writes"] is status


def test_figures_and_table_name_tool_and_time_to_live(run: Run) -> None:
    answers = [judged(age) for age in (0.0, 1.0, 0.0, 2.0)]
    judge_seen(run, [seen(*answers)])
    figures = {
        (each.name, each.statistic): each.value
        for each in run.measurements
        if each.labels == {"tool": "orders_get", "seconds_to_live": "2 s"}
    }
    assert figures["hit_rate", "value"] == 1
    assert figures["stale_share", "value"] == 0.5
    assert figures["stale_age", "max"] == 2
    lines = table_of([seen(*answers)]).splitlines()
    assert lines[1].split() == ["orders_get", "2", "s", "4", "100.0%", "0.00", "50.0%", "1.00s", "2.00s", "2.00s"]
    assert lines[-1].split() == ["2", "s", "1.50", "50%", "25.0%"]


@pytest.mark.parametrize(
    ("held", "grown_full", "status"),
    [
        (1_000_000, 1_000_000, CheckStatus.PASSED),
        (1_000_001, 0, CheckStatus.FAILED),
        (1_000_000, 1_000_001, CheckStatus.FAILED),
        (899_999, 0, CheckStatus.INCONCLUSIVE),
    ],
)
def test_a_cache_stays_within_its_bound(run: Run, held: float, grown_full: float, status: CheckStatus) -> None:
    filled = Filled(6_000_000, held, entries=400, evicted=2_000, grown=20_000_000, grown_full=grown_full)
    with run.check("memory", "bounded") as check:
        judge_memory(check, filled, MemoryTable(max_bytes=1_000_000))
    assert run.checks[-1].status is status

"""What a search comes to: a capacity, too little of it, or that it is not known."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.capacity.job import judge_capacity
from perf.capacity.model import CapacityTable
from perf.capacity.search import Capacity, Outcome, Step
from perf.load.bottleneck import Bottleneck, Resource

CPU = Bottleneck("server CPU", (Resource("server CPU", 1.1, "the server took 0.99 of its one core"),))
NOTHING = Bottleneck("none", (Resource("server CPU", 0.3, "the server took 0.27 of its one core"),))
HELD = Step(400, Outcome.HELD, "", 4.0, NOTHING)
BROKE = Step(420, Outcome.BROKE, "too slow", 90.0, CPU)
UNKNOWN = Step(420, Outcome.UNKNOWN, "k6 was the limit: all of it", 90.0, CPU)


def judged(found: Capacity, folder: Path, least: float = 0.0) -> dict[str, Check]:
    run = Run(folder, SilentProgress())
    judge_capacity(run, found, CapacityTable(least_per_second=least))
    return {check.id: check for check in run.checks}


def test_a_capacity_and_what_gave_out_first_are_told(tmp_path: Path) -> None:
    checks = judged(Capacity(HELD, BROKE, HELD), tmp_path)
    assert {check.status for check in checks.values()} == {CheckStatus.PASSED}
    assert checks["gave_out_first"].evidence[0] == "server CPU: the server took 0.99 of its one core"


def test_too_little_of_it_fails(tmp_path: Path) -> None:
    assert judged(Capacity(HELD, BROKE, HELD), tmp_path, least=400)["capacity"].status is CheckStatus.PASSED
    assert judged(Capacity(HELD, BROKE, HELD), tmp_path, least=401)["capacity"].status is CheckStatus.FAILED


@pytest.mark.parametrize("beyond", [UNKNOWN, None])
def test_what_held_while_more_is_not_known_is_enough_or_inconclusive(tmp_path: Path, beyond: Step | None) -> None:
    enough = judged(Capacity(HELD, beyond, HELD), tmp_path, least=400)
    unknown = judged(Capacity(HELD, beyond, HELD), tmp_path, least=401)

    assert enough["capacity"].status is CheckStatus.PASSED
    assert unknown["enough"].status is CheckStatus.INCONCLUSIVE
    assert "capacity" not in unknown


def test_a_lightest_step_that_broke_fails(tmp_path: Path) -> None:
    checks = judged(Capacity(None, BROKE, None), tmp_path)
    assert checks["found"].status is CheckStatus.FAILED
    assert checks["found"].reason == "the lightest step, 420 calls/s, does not hold: too slow"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Capacity(HELD, UNKNOWN, HELD), "at least 400 calls/s; beyond it, k6 was the limit: all of it"),
        (Capacity(HELD, None, HELD), "at least 400 calls/s, where the search ended: raise most_per_second"),
        (Capacity(None, UNKNOWN, None), "no step could be told: k6 was the limit: all of it"),
        (Capacity(None, None, None), "no step could be told"),
    ],
)
def test_what_the_search_did_not_come_to_is_inconclusive(found: Capacity, reason: str, tmp_path: Path) -> None:
    check = judged(found, tmp_path)["found"]
    assert (check.status, check.reason) == (CheckStatus.INCONCLUSIVE, reason)


def test_that_nothing_was_used_up_is_no_explanation(tmp_path: Path) -> None:
    unexplained = Step(420, Outcome.BROKE, "too slow", 90.0, NOTHING)
    assert judged(Capacity(HELD, unexplained, HELD), tmp_path)["gave_out_first"].status is CheckStatus.INCONCLUSIVE

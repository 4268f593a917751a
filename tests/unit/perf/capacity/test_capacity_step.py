"""What a step's checks come to: slow beyond doubt, slow in doubt, and wrong however busy the machine is."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.capacity.search import Outcome
from perf.capacity.step import check_rate, conclude_step, profile_at
from perf.load.bottleneck import OTHERS, Bottleneck, Resource
from perf.load.k6 import Summary
from perf.load.model import Profile

SUMMARY = Summary(
    {"duration_cached_read": {"values": {"p(95)": 7.0}}, "duration_tool": {"values": {"p(95)": 9.0}}}, (), crossed=False
)
SERVER, GENERATOR, BUSY = (
    Bottleneck(name, (Resource(name, 1.2, "evidence"),)) for name in ("server CPU", "generator", OTHERS)
)


def concluded(folder: Path, bottleneck: Bottleneck, **statuses: CheckStatus) -> tuple[Outcome, str]:
    run = Run(folder, SilentProgress())
    for name, status in statuses.items():
        reason = "" if status is CheckStatus.PASSED else "why"
        run.add_check(Check(id=name, title=name, status=status, reason=reason, examined=1))
    step = conclude_step(run, SUMMARY, 400, bottleneck)
    assert (step.per_second, step.p95_milliseconds) == (400, 9.0)
    return step.outcome, step.reason


@pytest.mark.parametrize("bottleneck", [SERVER, GENERATOR, BUSY])
def test_k6_and_neighbours_make_no_server_quicker_than_it_is(bottleneck: Bottleneck, tmp_path: Path) -> None:
    assert concluded(tmp_path, bottleneck, duration=CheckStatus.PASSED) == (Outcome.HELD, "")


def test_a_slow_server_breaks_where_it_was_the_limit_alone(tmp_path: Path) -> None:
    slow = {"content": CheckStatus.PASSED, "duration": CheckStatus.FAILED, "thresholds": CheckStatus.FAILED}
    assert concluded(tmp_path, SERVER, **slow) == (Outcome.BROKE, "duration: why")
    assert concluded(tmp_path, GENERATOR, **slow) == (Outcome.UNKNOWN, "k6 was the limit, and times itself: evidence")
    assert concluded(tmp_path, BUSY, **slow)[0] is Outcome.UNKNOWN


@pytest.mark.parametrize(("share", "outcome"), [(0.5, Outcome.BROKE), (0.8, Outcome.UNKNOWN)])
def test_where_nothing_was_used_up_a_busy_k6_may_have_been_what_was_slow(
    share: float, outcome: Outcome, tmp_path: Path
) -> None:
    nothing = Bottleneck("none", (Resource("generator", share, "evidence"), Resource("server CPU", 0.3, "evidence")))
    assert concluded(tmp_path, nothing, duration=CheckStatus.FAILED)[0] is outcome


@pytest.mark.parametrize("name", ["traffic", "content", "requests_failed"])
def test_wrong_answers_are_wrong_however_busy_the_machine_is(name: str, tmp_path: Path) -> None:
    assert concluded(tmp_path, BUSY, **{name: CheckStatus.FAILED})[0] is Outcome.BROKE


def test_too_few_answers_are_not_known_whatever_k6_thinks_of_them(tmp_path: Path) -> None:
    few = {"duration": CheckStatus.INCONCLUSIVE, "thresholds": CheckStatus.FAILED}
    assert concluded(tmp_path, SERVER, **few) == (Outcome.UNKNOWN, "duration: why")


@pytest.mark.parametrize(
    ("begun", "dropped", "outcome"),
    [(980, 0, Outcome.HELD), (700, 280, Outcome.HELD), (979, 0, Outcome.UNKNOWN), (0, 0, Outcome.UNKNOWN)],
)
def test_a_rate_that_k6_did_not_begin_is_not_known_to_hold(
    begun: int, dropped: int, outcome: Outcome, tmp_path: Path
) -> None:
    counted = {"iterations": {"values": {"count": begun}}, "dropped_iterations": {"values": {"count": dropped}}}
    run = Run(tmp_path, SilentProgress())
    check_rate(run, Summary(counted, (), crossed=False), 1000)
    step = conclude_step(run, SUMMARY, 100, SERVER)

    assert step.outcome is outcome
    assert (f"k6 began {begun + dropped} of 1000 calls" in step.reason) is (outcome is Outcome.UNKNOWN)


def test_a_step_sends_its_rate_whatever_the_profile_sends() -> None:
    profile = Profile(users=3, seconds=9, think_milliseconds=50, minimum_answers=1)
    stepped = profile_at(profile, 100)
    assert (stepped.arrivals_per_second, stepped.users, stepped.seconds) == (100.0, 50, 9)
    assert stepped.think_milliseconds == 0
    assert profile_at(profile, 5_000).users == 1_000

"""From measured rounds to a verdict: ratio and share with their spread, and a generator that must not be the limit."""

import dataclasses
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.peers.arms import BARE, OUR_TRIVIAL, OURS, PEER
from perf.peers.bars import Bars
from perf.peers.blocks import Counted, Round
from perf.peers.counts import Reading
from perf.peers.judge import judge_rounds, table
from perf.peers.plan import Call, Outcome, Plan, tool_call

READING = Reading(0, 0, 0, 0)
BARS = Bars(ratio=8, bare_share=0.35)


def outcome(rate: float, share: float = 0.3, answers: str = "same") -> Outcome:
    """A block of three seconds on a server that had its processor to itself."""
    calls = round(rate * 3)
    return Outcome(calls, calls, calls, 3.0, generator_seconds=3 * share, server_seconds=3.0, answers=answers)


def measured_round(ours: float, peer: float, bare: float, share: float = 0.3, bare_answers: str = "same") -> Round:
    own = outcome(ours, share)
    outcomes = {
        PEER: outcome(peer, answers="the peer's"),
        OURS: own,
        BARE: outcome(bare, answers=bare_answers),
        OUR_TRIVIAL: outcome(2 * ours, answers="pong"),
    }
    return Round(Counted("t", own, READING, READING, 0), outcomes)


def judged(tmp_path: Path, *rounds: Round) -> Run:
    run = Run(tmp_path, SilentProgress())
    judge_rounds(run, rounds, BARS)
    return run


def status(run: Run, check_id: str) -> CheckStatus:
    return next(check.status for check in run.checks if check.id == check_id)


def measured(run: Run, name: str, statistic: str) -> float:
    return next(each.value for each in run.measurements if (each.name, each.statistic) == (name, statistic))


def test_the_median_of_the_rounds_decides_and_their_spread_is_shown(tmp_path: Path) -> None:
    figures = [(5000, 500, 10_000), (2000, 500, 10_000), (6000, 500, 10_000)]
    run = judged(tmp_path, *(measured_round(*each) for each in figures))

    assert {check.status for check in run.checks} == {CheckStatus.PASSED}
    assert [measured(run, "peers.ratio", each) for each in ("lowest", "median", "highest")] == [4.0, 10.0, 12.0]
    assert [measured(run, "peers.bare_share", each) for each in ("lowest", "median", "highest")] == [0.2, 0.5, 0.6]


@pytest.mark.parametrize(("ours", "expected"), [(3999, CheckStatus.FAILED), (4000, CheckStatus.PASSED)])
def test_the_ratio_to_the_peer_has_a_bar(tmp_path: Path, ours: float, expected: CheckStatus) -> None:
    run = judged(tmp_path, *[measured_round(ours, 500, 5000)] * 5)

    assert status(run, "peers.ratio.median") is expected
    assert status(run, "peers.bare_share.median") is CheckStatus.PASSED


@pytest.mark.parametrize(("bare", "expected"), [(14_300, CheckStatus.FAILED), (14_280, CheckStatus.PASSED)])
def test_the_share_of_the_bare_dispatcher_has_a_bar(tmp_path: Path, bare: float, expected: CheckStatus) -> None:
    run = judged(tmp_path, *[measured_round(5000, 500, bare)] * 5)

    assert status(run, "peers.bare_share.median") is expected
    assert status(run, "peers.ratio.median") is CheckStatus.PASSED


@pytest.mark.parametrize(("share", "expected"), [(0.69, CheckStatus.PASSED), (0.71, CheckStatus.INCONCLUSIVE)])
def test_a_generator_that_may_have_been_the_limit_is_inconclusive(
    tmp_path: Path, share: float, expected: CheckStatus
) -> None:
    assert status(judged(tmp_path, *[measured_round(5000, 500, 9000, share)] * 5), "table") is expected


@pytest.mark.parametrize(("busy", "expected"), [(2, CheckStatus.PASSED), (3, CheckStatus.INCONCLUSIVE)])
def test_servers_that_shared_their_processor_in_most_rounds_are_not_judged(
    tmp_path: Path, busy: int, expected: CheckStatus
) -> None:
    quiet = measured_round(5000, 500, 9000)
    halved = dataclasses.replace(quiet.outcomes[OURS], server_seconds=1.5)
    disturbed = dataclasses.replace(quiet, outcomes={**quiet.outcomes, OURS: halved})
    run = judged(tmp_path, *[disturbed] * busy, *[quiet] * (5 - busy))

    assert status(run, "table") is expected
    assert [check.id for check in run.checks if check.id.startswith("peers.")] == (
        ["peers.ratio.median", "peers.bare_share.median"] if expected is CheckStatus.PASSED else []
    )


def test_what_cannot_be_judged_does_not_fail(tmp_path: Path) -> None:
    run = judged(tmp_path, *[measured_round(500, 500, 9000, 0.71)] * 5)

    assert {check.status for check in run.checks} == {CheckStatus.PASSED, CheckStatus.INCONCLUSIVE}
    assert measured(run, "peers.ratio", "median") == 1.0


def test_a_bare_dispatcher_that_answers_something_else_fails(tmp_path: Path) -> None:
    other = measured_round(5000, 500, 9000, bare_answers="other")
    assert status(judged(tmp_path, measured_round(5000, 500, 9000), other), "same_bytes") is CheckStatus.FAILED


def test_the_table_has_a_row_for_each_server_and_call_the_quickest_first(tmp_path: Path) -> None:
    rounds = [measured_round(4600, 500, 9200)] * 5
    _, *rows = table(rounds).splitlines()

    assert [row.split()[-6:] for row in rows] == [
        ["orders_get", "9,200", "18.40", "100.0%", "109", "us"],
        ["ping", "9,200", "18.40", "100.0%", "109", "us"],
        ["orders_get", "4,600", "9.20", "50.0%", "217", "us"],
        ["add", "500", "1.00", "5.4%", "2,000", "us"],
    ]
    assert rows == list(judged(tmp_path, *rounds).checks[0].evidence)[1:]


def test_a_tool_answers_with_its_structured_content_and_another_method_with_its_result() -> None:
    call = tool_call("add", {"a": 1}, {"result": 1})

    assert call.holds({"structuredContent": {"result": 1}, "content": []})
    assert not call.holds({"structuredContent": {"result": 1}, "isError": True})
    assert not call.holds({"result": 1})
    assert Call("ping", {}, {}).holds({})
    assert not Call("ping", {}, {}).holds({"structuredContent": {}})


def test_a_plan_survives_its_file_and_shows_no_key() -> None:
    call = tool_call("add", {"a": 1}, {"result": 1})
    plan = Plan("127.0.0.1", 80, "a-key", "2025-11-25", 2, 1.5, 0, 1, (call,))

    assert Plan.load(plan.dump()) == plan
    assert "a-key" not in repr(dataclasses.replace(plan, seconds=2))

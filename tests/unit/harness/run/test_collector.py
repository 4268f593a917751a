"""What a job's body tells a Run, and what comes of it."""

from pathlib import Path

import pytest

from harness.collector import Run, samples_needed
from harness.errors import HarnessError, Inconclusive
from harness.progress import SilentProgress
from harness.record import Check, Direction
from harness.verdict import CheckStatus, Severity


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


def only_check(run: Run) -> Check:
    (check,) = run.checks
    return check


def test_a_check_in_which_all_holds_passes(run: Run) -> None:
    with run.check("a", "A") as check:
        check.expect(1, "unseen")
        check.expect([0], "unseen")
    assert (only_check(run).status, only_check(run).examined) == (CheckStatus.PASSED, 2)


def test_a_check_that_examined_nothing_is_inconclusive(run: Run) -> None:
    with run.check("a", "A"):
        pass
    assert only_check(run).status is CheckStatus.INCONCLUSIVE
    assert "examined 0, at least 1 needed" in only_check(run).reason


def test_a_check_that_examined_too_little_is_inconclusive(run: Run) -> None:
    with run.check("a", "A", at_least=100) as check:
        check.examined = 99
    assert only_check(run).status is CheckStatus.INCONCLUSIVE


def test_all_failures_are_told(run: Run) -> None:
    with run.check("a", "A") as check:
        check.expect(0, "first")
        check.fail("second")
    assert only_check(run).status is CheckStatus.FAILED
    assert only_check(run).reason == "first; second"


def test_a_finding_fails_its_check(run: Run) -> None:
    with run.check("a", "A") as check:
        check.examined = 5
        check.find("RULE", "bad thing", location="x.py:3", references=["https://example.com"])
    assert only_check(run).status is CheckStatus.FAILED
    assert "bad thing" in only_check(run).reason


def test_what_failed_besides_the_findings_is_told_apart(run: Run) -> None:
    with run.check("a", "A") as check:
        check.find("RULE", "bad thing")
        check.fail("and slow")
        raise Inconclusive("then it went away")
    assert only_check(run).failures == ("and slow", "it could not go on: then it went away")
    assert only_check(run).reason == "1 found; the first: bad thing; and slow; it could not go on: then it went away"


def test_a_check_says_whose_answer_it_is_and_what_it_covers(run: Run) -> None:
    with run.check("a", "A", tool="bandit", categories=["A05:2025"]) as check:
        check.find("RULE", "bad thing", severity=Severity.LOW)
    run.skip("b", "B", "not asked for", tool="bandit", categories=["API1:2023"])
    assert [(check.tool, check.categories) for check in run.checks] == [
        ("bandit", ("A05:2025",)),
        ("bandit", ("API1:2023",)),
    ]
    assert run.checks[0].findings[0].severity is Severity.LOW


def test_a_category_that_does_not_exist_is_refused_before_anything_is_asked(run: Run) -> None:
    with (
        pytest.raises(ValueError, match="no security category is named A5:2025"),
        run.check("a", "A", categories=["A5:2025"]),
    ):
        pytest.fail("it was asked")
    with pytest.raises(ValueError, match="no security category is named A5:2025"):
        run.skip("b", "B", "not asked for", categories=["A5:2025"])
    assert run.checks == []


def test_a_finding_s_fingerprint_stays_when_only_its_place_moves(run: Run) -> None:
    for line in (3, 4):
        with run.check(f"a{line}", "A") as check:
            check.check_id = "a"
            check.find("RULE", f"bad in line {line}", location=f"x.py:{line}", key="x.py")
            check.find("RULE", f"bad in line {line}", location=f"x.py:{line}")
    first, second = (check.findings for check in run.checks)
    assert first[0].fingerprint == second[0].fingerprint
    assert first[1].fingerprint != second[1].fingerprint


@pytest.mark.parametrize("error", [Inconclusive("no answer"), HarnessError("no answer")])
def test_a_known_error_makes_its_check_inconclusive_and_the_job_goes_on(run: Run, error: Exception) -> None:
    with run.check("a", "A") as check:
        check.examined = 1
        raise error
    assert (only_check(run).status, only_check(run).reason) == (CheckStatus.INCONCLUSIVE, "no answer")
    assert not list(run.directory.rglob("*"))


def test_an_internal_error_in_a_check_keeps_its_traceback_out_of_the_reason(run: Run) -> None:
    with run.check("a", "A"):
        raise ZeroDivisionError("division\nby zero")
    assert only_check(run).status is CheckStatus.INCONCLUSIVE
    assert only_check(run).reason.startswith("internal error, ZeroDivisionError: division by zero")
    assert "Traceback" in (run.directory / "logs/tracebacks.log").read_text()


def test_a_failure_is_not_lost_to_a_later_error(run: Run) -> None:
    with run.check("a", "A") as check:
        check.fail("really bad")
        raise Inconclusive("and then no answer")
    assert only_check(run).status is CheckStatus.FAILED
    assert only_check(run).reason == "really bad; it could not go on: and then no answer"


def test_an_interruption_is_told_and_goes_on_outwards(run: Run) -> None:
    with pytest.raises(KeyboardInterrupt), run.check("a", "A") as check:  # noqa: PT012 -- the check is what is on trial
        check.examined = 1
        raise KeyboardInterrupt
    assert (only_check(run).status, only_check(run).reason) == (CheckStatus.INCONCLUSIVE, "interrupted")


def test_not_applicable_and_skipped_carry_their_reasons(run: Run) -> None:
    with run.check("a", "A") as check:
        check.not_applicable("the target has no stores")
    run.skip("b", "B", "--quick")
    assert [(each.status, each.reason) for each in run.checks] == [
        (CheckStatus.NOT_APPLICABLE, "the target has no stores"),
        (CheckStatus.SKIPPED, "--quick"),
    ]


def test_a_failure_wins_over_not_applicable(run: Run) -> None:
    with run.check("a", "A") as check:
        check.fail("bad")
        check.not_applicable("never mind")
    assert only_check(run).status is CheckStatus.FAILED


def test_two_checks_of_one_id_are_a_mistake(run: Run) -> None:
    run.skip("a", "A", "x")
    with pytest.raises(ValueError, match="two checks are named a"):
        run.skip("a", "A", "x")


@pytest.mark.parametrize(
    ("value", "samples", "status"),
    [
        (0.5, 100, CheckStatus.PASSED),
        (0.51, 100, CheckStatus.FAILED),
        (0.4, 99, CheckStatus.INCONCLUSIVE),
        (0.6, 0, CheckStatus.INCONCLUSIVE),
        (float("nan"), 100, CheckStatus.INCONCLUSIVE),
        (float("inf"), 100, CheckStatus.INCONCLUSIVE),
    ],
)
def test_a_limit_makes_a_check(run: Run, value: float, samples: int, status: CheckStatus) -> None:
    run.measure("call_duration", value, "s", statistic="p95", samples=samples, limit=0.5, direction=Direction.LOWER)
    assert only_check(run).id == "call_duration.p95"
    assert only_check(run).status is status


def test_the_other_direction_is_a_minimum(run: Run) -> None:
    run.measure("throughput", 99, "calls/s", limit=100, direction=Direction.HIGHER)
    assert only_check(run).status is CheckStatus.FAILED
    assert only_check(run).title == "throughput is at least 100 calls/s"


def test_a_measurement_without_a_limit_makes_no_check(run: Run) -> None:
    run.measure("call_duration", 0.4, "s")
    assert not run.checks
    assert len(run.measurements) == 1


def test_a_figure_that_is_none_is_told_even_without_a_limit(run: Run) -> None:
    run.measure("call_duration", float("nan"), "s")
    assert only_check(run).status is CheckStatus.INCONCLUSIVE
    assert not run.measurements


@pytest.mark.parametrize(
    ("statistic", "needed"), [("p50", 10), ("p95", 100), ("p99", 500), ("p99.9", 5000), ("mean", 1), ("value", 1)]
)
def test_percentiles_need_samples_beyond_them(statistic: str, needed: int) -> None:
    assert samples_needed(statistic) == needed

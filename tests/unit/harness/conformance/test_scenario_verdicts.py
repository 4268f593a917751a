"""What a scenario's result means for the run, and when a leg has measured nothing."""

import pytest

from harness.conformance.judge import NO_RESULT, compare, judge_scenario, report_scenario
from harness.conformance.leg import FIXTURE, PRODUCTION, Leg
from harness.conformance.results import Outcome, ScenarioResult, SuiteCheck
from harness.conformance.suite import Requirements
from harness.errors import Inconclusive
from harness.verdict import CheckStatus, Severity

REQUIREMENTS = Requirements("2026-07-28", ("ping", "tools-list"), {"tasks-lifecycle": "extension"})
LEG = Leg(PRODUCTION, REQUIREMENTS)


def result(**outcomes: str) -> ScenarioResult:
    checks = (SuiteCheck(id=name, status=Outcome(status), description=name) for name, status in outcomes.items())
    return ScenarioResult(tuple(checks), seconds=0.25)


def test_a_scenario_that_passes_says_what_was_examined() -> None:
    check = judge_scenario(LEG, "ping", result(ping="SUCCESS", extra="SKIPPED", note="INFO"))
    assert (check.id, check.status) == ("2026-07-28/ping", CheckStatus.PASSED)
    assert (check.examined, check.duration_seconds, check.evidence) == (1, 0.25, ("1 SUCCESS, 1 SKIPPED",))


def test_a_check_is_named_after_its_registry() -> None:
    assert judge_scenario(Leg(FIXTURE, REQUIREMENTS), "ping", result(ping="SUCCESS")).id == "fixture/2026-07-28/ping"


def test_failures_and_warnings_fail_the_scenario_and_each_can_be_waived_alone() -> None:
    check = judge_scenario(LEG, "ping", result(a="FAILURE", b="WARNING", c="SUCCESS"))
    assert check.status is CheckStatus.FAILED
    found = [(finding.fingerprint, finding.rule) for finding in check.findings]
    assert found == [("2026-07-28/ping:a", "FAILURE"), ("2026-07-28/ping:b", "WARNING")]


def test_a_scenario_that_checked_nothing_is_inconclusive() -> None:
    check = judge_scenario(LEG, "ping", result(note="INFO", other="SKIPPED"))
    assert check.status is CheckStatus.INCONCLUSIVE
    assert "checked nothing (1 SKIPPED)" in check.reason


def test_a_scenario_without_a_result_is_inconclusive() -> None:
    assert judge_scenario(LEG, "ping").status is CheckStatus.INCONCLUSIVE
    assert judge_scenario(LEG, "ping", ScenarioResult(problem="it broke off")).reason == "it broke off"


def test_a_failure_of_a_limited_leg_is_inconclusive_and_a_success_still_counts() -> None:
    check = judge_scenario(LEG, "ping", result(a="FAILURE"), "the server limited the rate")
    assert (check.status, check.reason, check.findings) == (CheckStatus.INCONCLUSIVE, "the server limited the rate", ())
    assert judge_scenario(LEG, "ping", result(a="SUCCESS"), "limited").status is CheckStatus.PASSED


@pytest.mark.parametrize("found", [result(a="SUCCESS"), result(a="FAILURE"), NO_RESULT])
def test_a_scenario_that_is_not_scored_is_told_and_never_counts(found: ScenarioResult) -> None:
    check = report_scenario(LEG, "tasks-lifecycle", "extension", found)
    assert (check.status, check.severity) == (CheckStatus.NOT_APPLICABLE, Severity.INFO)
    assert check.reason.startswith("not scored by 2026-07-28 (extension): ")
    assert ("not passed: a" in check.reason) == bool(found.problems)


def test_a_suite_that_ran_whole_and_agrees_is_counted() -> None:
    results = {"ping": result(a="FAILURE"), "tools-list": result(b="SUCCESS")}
    assert compare(LEG, results, {"ping:a"}, 0) == 2
    assert compare(LEG, results, set(), 1) == 2


def test_fewer_scored_scenarios_than_required_are_inconclusive() -> None:
    with pytest.raises(Inconclusive, match=r"1 of 2 scored scenarios left a result.*missing: tools-list"):
        compare(LEG, {"ping": result(a="SUCCESS")}, set(), 0)


def test_a_result_that_cannot_be_read_counts_as_missing() -> None:
    results = {"ping": result(a="SUCCESS"), "tools-list": ScenarioResult(problem="it broke off")}
    with pytest.raises(Inconclusive, match="missing: tools-list"):
        compare(LEG, results, set(), 0)


@pytest.mark.parametrize(("outcome", "exit_code"), [("SUCCESS", 1), ("FAILURE", 0)])
def test_a_verdict_of_the_suite_that_its_results_do_not_bear_out_is_inconclusive(outcome: str, exit_code: int) -> None:
    results = {"ping": result(a=outcome), "tools-list": result(b="SUCCESS")}
    with pytest.raises(Inconclusive, match="its results come to"):
        compare(LEG, results, set(), exit_code)


def test_an_unscored_failure_does_not_change_the_suites_verdict() -> None:
    passed = {"ping": result(a="SUCCESS"), "tools-list": result(b="SUCCESS")}
    assert compare(LEG, passed | {"tasks-lifecycle": result(c="FAILURE")}, set(), 0) == 2

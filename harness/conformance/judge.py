"""From the suite's results to this run's checks: one for each scenario, and whether the suite ran whole."""

from collections.abc import Collection, Mapping

from harness.conformance.leg import Leg
from harness.conformance.results import ScenarioResult, suite_exit_code
from harness.errors import Inconclusive
from harness.record import Check, Finding
from harness.verdict import CheckStatus, Severity

NO_RESULT = ScenarioResult(problem="the suite left no result for it")


def judge_scenario(leg: Leg, scenario: str, result: ScenarioResult = NO_RESULT, doubt: str = "") -> Check:
    """Return the check of a scored scenario. A warning fails it as a failure does, and can be waived as one.

    `doubt` says why failures of this leg may not be the server's: they are inconclusive then.
    """
    check_id = leg.check_id(scenario)
    problems = result.problems
    status, reason = CheckStatus.PASSED, ""
    if result.problem:
        status, reason = CheckStatus.INCONCLUSIVE, result.problem
    elif problems and doubt:
        status, reason = CheckStatus.INCONCLUSIVE, doubt
    elif problems:
        status, reason = CheckStatus.FAILED, "; ".join(f"{problem.id}: {problem.message}" for problem in problems)
    elif not result.examined:
        status, reason = CheckStatus.INCONCLUSIVE, f"the suite checked nothing ({result.summary})"
    findings = (
        Finding(
            fingerprint=_finding_id(check_id, problem.id),
            rule=problem.status,
            message=f"{problem.id}: {problem.message}",
        )
        for problem in problems
        if status is CheckStatus.FAILED
    )
    return Check(
        id=check_id,
        title=f"{scenario} ({leg.title})",
        status=status,
        reason=reason,
        examined=result.examined,
        duration_seconds=round(result.seconds, 3),
        evidence=(result.summary,),
        findings=tuple(findings),
    )


def report_scenario(leg: Leg, scenario: str, why: str, result: ScenarioResult = NO_RESULT) -> Check:
    """Return the check of a scenario that the revision does not score: told, never counted."""
    failing = ", ".join(problem.id for problem in result.problems)
    found = result.problem or result.summary + (f"; not passed: {failing}" if failing else "")
    return Check(
        id=leg.check_id(scenario),
        title=f"{scenario} ({leg.title})",
        status=CheckStatus.NOT_APPLICABLE,
        severity=Severity.INFO,
        reason=f"not scored by {leg.revision} ({why}): {found}",
        examined=result.examined,
        duration_seconds=round(result.seconds, 3),
    )


def compare(leg: Leg, results: Mapping[str, ScenarioResult], exempt: Collection[str], exit_code: int) -> int:
    """Return how many scored scenarios left a result, which is all of them.

    Raises Inconclusive when some did not, or when the suite's own verdict is not what its results come to.
    """
    scored = leg.requirements.scored
    usable = {name: results[name] for name in scored if name in results and not results[name].problem}
    if missing := [name for name in scored if name not in usable]:
        raise Inconclusive(
            f"{len(usable)} of {len(scored)} scored scenarios left a result, the suite's exit code is {exit_code}; "
            f"missing: {', '.join(missing)}"
        )
    if exit_code != (expected := suite_exit_code(usable, exempt)):
        raise Inconclusive(f"the suite's exit code is {exit_code}, but its results come to {expected}")
    return len(usable)


def _finding_id(check_id: str, suite_check: str) -> str:
    """The name that a waiver gives a finding. The suite's ids hold a character or two that an id may not."""
    return f"{check_id}:{suite_check.replace('$', '_')}"

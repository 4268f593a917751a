"""Run the suite for one leg, and prove for each revision that it can fail."""

import tempfile
from collections.abc import Collection
from pathlib import Path

from harness.collector import Run
from harness.conformance.canary import DEFECT, SCENARIO, SOUND, serving_defect
from harness.conformance.judge import NO_RESULT, compare, judge_scenario, report_scenario
from harness.conformance.leg import Leg
from harness.conformance.relay import Relay
from harness.conformance.results import Outcome, ScenarioResult, raw_results, read_results
from harness.conformance.suite import Suite, expected_failures
from harness.errors import Inconclusive
from harness.files import write_atomically
from harness.verdict import Severity


def check_canary(run: Run, suite: Suite, revision: str) -> None:
    """Check that the suite finds the defect of a server that has one, and finds nothing else there."""
    title = f"The suite finds a known defect ({revision})"
    with (
        run.check(f"canary/{revision}", title, severity=Severity.CRITICAL) as check,
        tempfile.TemporaryDirectory(prefix="conformance-") as temporary,
        serving_defect() as url,
    ):
        output = Path(temporary)
        exit_code = suite.run(f"canary-{revision}", url, output, "--scenario", SCENARIO, "--spec-version", revision)
        found = {each.id: each for each in read_results(output).get(SCENARIO, NO_RESULT).verdicts}
        seen = {name: found[name].status if name in found else "nothing" for name in (SOUND, DEFECT)}
        if (seen, exit_code) != ({SOUND: Outcome.SUCCESS, DEFECT: Outcome.FAILURE}, 1):
            told = ", ".join(f"{name}: {status}" for name, status in seen.items())
            raise Inconclusive(f"the suite does not tell a defect from what is sound: {told}, exit code {exit_code}")
        check.examined = len(seen)


def measure_leg(
    run: Run, leg: Leg, suite: Suite, url: str, exempt: Collection[str], relay: Relay | None = None
) -> None:
    """Run the suite against `url` and add a check for every scenario, and one that it ran whole.

    Through a `relay` that was told to wait, a failure says nothing of the server's conformance: it is inconclusive.
    """
    results: dict[str, ScenarioResult] = {}
    with (
        run.check(leg.id, f"The suite runs whole ({leg.title})", at_least=len(leg.requirements.scored)) as check,
        tempfile.TemporaryDirectory(prefix="conformance-") as temporary,
    ):
        baseline, output = Path(temporary) / "expected-failures.yaml", Path(temporary) / "results"
        baseline.write_text(expected_failures(exempt), "utf-8")
        options = ("--requirements", leg.revision, "--expected-failures", str(baseline))
        try:
            exit_code = suite.run(f"suite-{leg.registry}-{leg.revision}", url, output, *options)
        finally:
            results = read_results(output)
            write_atomically(run.artifact_path(f"{leg.registry}-{leg.revision}.json"), raw_results(output))
        check.examined = compare(leg, results, exempt, exit_code)
        checked = sum(result.examined for result in results.values())
        labels = {"registry": leg.registry, "revision": leg.revision}
        run.measure("conformance.checks", checked, "checks", labels=labels)
        check.evidence.append(f"suite {suite.version}, {len(results)} scenarios, {checked} checks")
    doubt = ""
    if relay is not None and relay.limited:
        doubt = f"the server limited the suite's rate {relay.limited} times (429): raise the tenant's limit, or wait"
    for scenario in leg.requirements.scored:
        run.add_check(judge_scenario(leg, scenario, results.get(scenario, NO_RESULT), doubt))
    for scenario, why in leg.requirements.not_scored.items():
        run.add_check(report_scenario(leg, scenario, why, results.get(scenario, NO_RESULT)))

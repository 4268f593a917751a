"""Exemptions come from waivers.toml, reach the suite, and do not outlive their use."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from harness.conformance.judge import judge_scenario
from harness.conformance.leg import FIXTURE, JOB, PRODUCTION, Leg
from harness.conformance.results import Outcome, ScenarioResult, SuiteCheck
from harness.conformance.suite import Requirements, expected_failures
from harness.record import Check
from harness.repository import REPOSITORY
from harness.verdict import CheckStatus
from harness.waivers import Waiver, apply_waivers, load_waivers

TODAY = date(2026, 11, 23)
REQUIREMENTS = Requirements("2026-07-28", ("ping",), {})


def waiver(name: str, *, expires: date = TODAY, job: str = JOB) -> Waiver:
    return Waiver(id=name, job=job, reason="no fixture", owner="maintainers", expires=expires)


def judged(outcome: str, *waivers: Waiver) -> Sequence[Check]:
    result = ScenarioResult((SuiteCheck(id="a", status=Outcome(outcome)),))
    return apply_waivers(JOB, [judge_scenario(Leg(PRODUCTION, REQUIREMENTS), "ping", result)], waivers, TODAY)


def test_a_leg_takes_the_exemptions_of_its_registry_and_revision_that_hold() -> None:
    waivers = [
        waiver("2026-07-28/ping:a"),
        waiver("2026-07-28/caching"),
        waiver("2025-11-25/ping"),
        waiver("fixture/2026-07-28/tools-list:b"),
        waiver("2026-07-28/expired", expires=TODAY - timedelta(days=1)),
        waiver("2026-07-28/audits", job="audit"),
    ]
    assert Leg(PRODUCTION, REQUIREMENTS).exempt(waivers, TODAY) == {"ping:a", "caching"}
    assert Leg(FIXTURE, REQUIREMENTS).exempt(waivers, TODAY) == {"tools-list:b"}


def test_the_suite_reads_the_exemptions_as_texts() -> None:
    # Unquoted, YAML would take a colon for a mapping.
    assert json.loads(expected_failures({"ping:a", "caching"})) == {"server": ["caching", "ping:a"]}


def test_a_waived_check_does_not_fail_the_scenario() -> None:
    assert judged("FAILURE", waiver("2026-07-28/ping:a"))[0].status is CheckStatus.WAIVED
    assert judged("WARNING", waiver("2026-07-28/ping"))[0].status is CheckStatus.WAIVED


def test_a_failure_that_is_not_waived_fails() -> None:
    assert judged("FAILURE", waiver("2026-07-28/ping:b"))[0].status is CheckStatus.FAILED
    assert judged("FAILURE", waiver("fixture/2026-07-28/ping:a"))[0].status is CheckStatus.FAILED


def test_an_exemption_that_is_not_needed_any_more_fails() -> None:
    for name in ("2026-07-28/ping:a", "2026-07-28/ping"):
        told = {check.id: check for check in judged("SUCCESS", waiver(name))}
        assert told["waivers"].status is CheckStatus.FAILED
        assert name in told["waivers"].reason


def test_the_fixture_registry_is_exempt_from_one_warning_and_from_no_failure() -> None:
    """The transport gives no session, and the suite remarks on it. Everything else there must pass."""
    waivers = load_waivers(REPOSITORY / "waivers.toml", datetime.now(UTC).date())
    fixture = [each.id for each in waivers if each.job == JOB and each.id.startswith(FIXTURE)]
    assert fixture == ["fixture/2025-11-25/server-sse-multiple-streams:server-sse-multiple-streams-session"]


def test_every_exemption_names_one_check() -> None:
    """A whole scenario that is exempt would hide what else goes wrong in it."""
    waivers = load_waivers(REPOSITORY / "waivers.toml", datetime.now(UTC).date())
    ours = [each.id for each in waivers if each.job == JOB]
    assert [name for name in ours if ":" not in name] == []

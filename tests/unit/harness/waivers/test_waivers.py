"""Waivers accept a failure for a while, visibly, and never outlive their use."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.record import Check, Finding
from harness.verdict import CheckStatus, Status, judge
from harness.waivers import CHECK_ID, Waiver, apply_waivers, load_waivers

TODAY = date(2026, 11, 23)
PASSED = Check(id="other", title="Other", status=CheckStatus.PASSED, examined=1)


def finding(name: str) -> Finding:
    return Finding(fingerprint=name, rule="RULE", message=f"found {name}")


def failed(*findings: str) -> Check:
    return Check(
        id="pins",
        title="Pins",
        status=CheckStatus.FAILED,
        reason="found some",
        examined=9,
        findings=tuple(finding(name) for name in findings),
    )


def waiver(name: str, *, expires: date = TODAY, job: str = "audit") -> Waiver:
    return Waiver(id=name, job=job, reason="no fix yet", owner="ops", expires=expires)


def apply(checks: Sequence[Check], *waivers: Waiver) -> dict[str, Check]:
    return {check.id: check for check in apply_waivers("audit", checks, waivers, TODAY)}


def verdict(checks: dict[str, Check]) -> Status:
    return judge((check.id, check.status) for check in checks.values())


def test_a_waived_check_is_waived_with_its_reason_and_what_it_found() -> None:
    checks = apply([PASSED, failed("f1")], waiver("pins"))
    assert checks["pins"].status is CheckStatus.WAIVED
    for part in ("no fix yet", "ops", "2026-11-23", "found some"):
        assert part in checks["pins"].reason
    assert verdict(checks) is Status.PASSED


def test_a_check_is_waived_when_all_its_findings_are() -> None:
    checks = apply([PASSED, failed("f1", "f2")], waiver("f1"), waiver("f2"))
    assert checks["pins"].status is CheckStatus.WAIVED


def test_a_finding_that_is_not_waived_still_fails_and_the_waived_one_stays_visible() -> None:
    checks = apply([PASSED, failed("f1", "f2")], waiver("f1"))
    assert checks["pins"].status is CheckStatus.FAILED
    assert [each.fingerprint for each in checks["pins"].open_findings] == ["f2"]
    assert checks["pins"].findings[0].accepted == "no fix yet (accepted by ops until 2026-11-23)"
    assert checks["pins"].reason == "1 found; the first: found f2"


def test_waived_findings_do_not_hide_what_a_check_failed_for_besides() -> None:
    both = failed("f1").model_copy(update={"failures": ("it could not go on: the disk is full",)})
    checks = apply([PASSED, both], waiver("f1"))
    assert checks["pins"].status is CheckStatus.FAILED
    assert checks["pins"].reason == "it could not go on: the disk is full"
    assert checks["pins"].open_findings == ()
    assert verdict(checks) is Status.FAILED


def test_a_waiver_of_the_check_itself_accepts_whatever_it_failed_for() -> None:
    both = failed("f1").model_copy(update={"failures": ("it is slow",)})
    checks = apply([PASSED, both], waiver("pins"))
    assert checks["pins"].status is CheckStatus.WAIVED
    assert checks["pins"].open_findings == ()


def test_an_expired_waiver_waives_nothing_and_fails() -> None:
    checks = apply([PASSED, failed("f1")], waiver("f1", expires=TODAY - timedelta(days=1)))
    assert checks["pins"].status is CheckStatus.FAILED
    assert checks[CHECK_ID].status is CheckStatus.FAILED
    assert "ended on 2026-11-22" in checks[CHECK_ID].reason


@pytest.mark.parametrize("checks", [[PASSED], [PASSED, failed("f2")]])
def test_a_waiver_that_matches_nothing_fails(checks: list[Check]) -> None:
    applied = apply(checks, waiver("f1"))
    assert applied[CHECK_ID].status is CheckStatus.FAILED
    assert applied[CHECK_ID].findings[0].location == "f1"


def test_a_waiver_for_a_check_that_passed_fails() -> None:
    assert apply([PASSED], waiver("other"))[CHECK_ID].status is CheckStatus.FAILED


NEEDED = "Every waiver is current and still needed"


def unmeasured(status: CheckStatus, name: str = "pins") -> Check:
    return Check(id=name, title=name, status=status, reason="it was not looked at")


def test_waivers_that_match_are_told_as_still_needed() -> None:
    applied = apply([PASSED, failed("f1"), unmeasured(CheckStatus.SKIPPED, "units")], waiver("f1"))
    assert (applied[CHECK_ID].status, applied[CHECK_ID].title) == (CheckStatus.PASSED, NEEDED)
    assert applied[CHECK_ID].evidence == ("f1: no fix yet (accepted by ops until 2026-11-23): it is still needed",)


@pytest.mark.parametrize("status", [CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED])
@pytest.mark.parametrize("name", ["f1", "pins", "0123456789abcdef"])
def test_nothing_is_said_of_a_waiver_where_what_it_covers_was_not_measured(name: str, status: CheckStatus) -> None:
    """It neither fails the run nor is counted as needed: nobody looked."""
    applied = apply([PASSED, unmeasured(status)], waiver(name))
    check = applied[CHECK_ID]
    assert check.status is CheckStatus.PASSED
    assert check.title == "Every waiver is current; whether it is still needed is not known of 1 of 1"
    assert check.evidence[0].endswith("is not known: no answer, or not a whole one, from pins")
    assert applied["pins"].status is status


def test_what_is_known_of_one_waiver_is_not_told_of_another() -> None:
    checks = [PASSED, failed("f1"), *(unmeasured(CheckStatus.SKIPPED, f"other.{number}") for number in range(5))]
    check = apply(checks, waiver("f1"), waiver("f2"))[CHECK_ID]
    assert check.title.endswith("is not known of 1 of 2")
    assert [line.rpartition(": ")[2] for line in check.evidence] == [
        "it is still needed",
        "no answer, or not a whole one, from other.0, other.1, other.2 and 2 more",
    ]


def test_a_waived_check_that_passed_is_stale_whatever_else_was_left_out() -> None:
    check = apply([PASSED, unmeasured(CheckStatus.SKIPPED)], waiver("other"), waiver("f1"))[CHECK_ID]
    assert check.status is CheckStatus.FAILED
    assert [found.location for found in check.findings] == ["other"]


def test_a_waiver_of_a_finding_is_not_stale_where_a_check_could_not_go_on() -> None:
    stopped = failed("f2").model_copy(update={"failures": ("it could not go on: the disk is full",)})
    check = apply([PASSED, stopped], waiver("f1"))[CHECK_ID]
    assert check.status is CheckStatus.PASSED
    assert check.title.endswith("is not known of 1 of 1")


def test_what_does_not_apply_finds_nothing_but_may_be_waived_for_another_target() -> None:
    idle = unmeasured(CheckStatus.NOT_APPLICABLE)
    assert apply([PASSED, idle], waiver("f1"))[CHECK_ID].status is CheckStatus.FAILED
    assert apply([PASSED, idle], waiver("pins"))[CHECK_ID].status is CheckStatus.PASSED


def test_an_expired_waiver_fails_where_nothing_was_measured() -> None:
    late = waiver("f1", expires=TODAY - timedelta(days=1))
    assert apply([PASSED, unmeasured(CheckStatus.SKIPPED)], late)[CHECK_ID].status is CheckStatus.FAILED


def test_waivers_of_other_jobs_do_nothing() -> None:
    checks = (PASSED, failed("f1"))
    assert apply_waivers("audit", checks, [waiver("f1", job="conformance")], TODAY) == checks


VALID = '[[waiver]]\nid = "f1"\njob = "audit"\nreason = "r"\nowner = "o"\nexpires = 2027-02-21\n'


def load(tmp_path: Path, text: str) -> tuple[Waiver, ...]:
    path = tmp_path / "waivers.toml"
    path.write_text(text)
    return load_waivers(path, TODAY)


def test_waivers_are_read_and_ninety_days_are_allowed(tmp_path: Path) -> None:
    (read,) = load(tmp_path, VALID)
    assert read.expires == TODAY + timedelta(days=90)
    assert load_waivers(tmp_path / "none.toml", TODAY) == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (VALID.replace("2027-02-21", "2027-02-22"), "waiver f1 lasts until 2027-02-22, more than 90 days"),
        (VALID.replace('"r"', '" "'), "waiver.1.reason"),
        (VALID.replace("owner", "ownr"), "waiver.1.own"),
        (VALID.replace("2027-02-21", '"2027-02-21"'), "waiver.1.expires"),
        (VALID.replace("2027-02-21", "2027-02-21T00:00:00"), "waiver.1.expires"),
        (VALID.replace("[[waiver]]", "[[waivers]]"), "waivers"),
        (VALID + VALID, "waiver f1 stands twice for audit"),
        ("[[waiver]", "waivers.toml"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)

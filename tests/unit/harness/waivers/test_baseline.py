"""A baseline knows findings by their fingerprints, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.baseline import apply_baseline, load_baseline
from harness.errors import UsageError
from harness.record import Check, Finding, RunRecord, dump_record
from harness.verdict import CheckStatus
from tests.unit.harness.report.conftest import make_record

ID = "20261123T030000.000Z-nightly-0123abcd"


def failed(name: str, *fingerprints: str, failures: tuple[str, ...] = ()) -> Check:
    findings = tuple(Finding(fingerprint=each, rule="RULE", message=f"found {each}") for each in fingerprints)
    return Check(
        id=name, title=name, status=CheckStatus.FAILED, reason="bad", examined=1, findings=findings, failures=failures
    )


BASELINE = make_record(failed("code", "f1", "f2"), failed("slow"))


def test_a_check_of_which_all_is_known_is_waived_and_says_since_when() -> None:
    (check,) = apply_baseline([failed("code", "f1", "f2")], BASELINE)
    assert check.status is CheckStatus.WAIVED
    assert check.reason == f"known: it stands in the baseline {ID} of 2026-11-23"


def test_a_finding_is_known_whichever_check_tells_it() -> None:
    (check,) = apply_baseline([failed("secrets", "f1")], BASELINE)
    assert check.status is CheckStatus.WAIVED


def test_a_new_finding_fails_alone_and_the_known_one_is_told() -> None:
    (check,) = apply_baseline([failed("code", "f1", "f3")], BASELINE)
    assert check.status is CheckStatus.FAILED
    assert [found.fingerprint for found in check.open_findings] == ["f3"]
    assert check.reason == "1 found; the first: found f3"
    assert ID in check.findings[0].accepted


@pytest.mark.parametrize(
    "check",
    [failed("code", "f1", failures=("slow",)), failed("slow"), failed("waivers", "f1"), failed("audit.waivers", "f1")],
)
def test_nothing_but_findings_is_ever_known(check: Check) -> None:
    (left,) = apply_baseline([check], BASELINE)
    assert left.status is CheckStatus.FAILED


def test_other_checks_are_left_as_they_are() -> None:
    checks = (
        Check(id="a", title="A", status=CheckStatus.PASSED, examined=1),
        failed("code", "f1").model_copy(update={"status": CheckStatus.NOT_APPLICABLE}),
        Check(id="b", title="B", status=CheckStatus.INCONCLUSIVE, reason="no answer"),
    )
    assert apply_baseline(checks, BASELINE) == checks


def test_a_record_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(dump_record(BASELINE))
    assert load_baseline(path, "nightly") == BASELINE


def spoil(record: RunRecord) -> bytes:
    return dump_record(record).replace(b'"exit_code": 1', b'"exit_code": 0')


@pytest.mark.parametrize(
    ("write", "kind", "what"),
    [
        (lambda path: None, "nightly", "No such file or directory"),
        (lambda path: path.mkdir(), "nightly", "Is a directory"),
        (lambda path: path.write_bytes(b"{"), "nightly", "invalid run record"),
        (lambda path: path.write_bytes(spoil(BASELINE)), "nightly", "exit code 0 does not belong to status failed"),
        (lambda path: path.write_bytes(dump_record(BASELINE)), "audit", "it is a record of nightly, not of audit"),
    ],
)
def test_what_is_no_record_of_the_job_is_wrong_usage(
    tmp_path: Path, write: Callable[[Path], None], kind: str, what: str
) -> None:
    write(tmp_path / "record.json")
    with pytest.raises(UsageError) as refused:
        load_baseline(tmp_path / "record.json", kind)
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)

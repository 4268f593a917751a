"""SARIF 2.1.0 for code scanning: a run for each tool, every finding of it, and nothing clean that did not run.

What a section number refers to is the standard: SARIF Version 2.1.0 Plus Errata 01.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from harness.record import Check, Finding, RunRecord
from harness.report.digest import lacks_a_red_check, make_digest, severity_of
from harness.verdict import CheckStatus, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
OURSELVES = "Quartermaster"
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}
# What code scanning makes of it: critical above 9, high from 7, medium from 4, low below.
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.0"}
_NOT_CHECKED = {CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED}
# A path from the repository and perhaps a line; neither a URL nor a host with its port, nor what leaves the repository,
# nor a method before a path. Files may be named almost anything: blanks and colons are theirs, but at no name's end.
_NAME = r"(?!\s)[^/]+?(?<!\s)"
_PLACE = re.compile(
    rf"(?![\d.]+:|localhost:|(?:.*/)?\.\.?/)(?P<path>{_NAME}(?:/{_NAME})*)(?::(?P<line>[1-9]\d{{0,8}}))?", re.DOTALL
)
_FILE = re.compile(r"[^\s:\\]+/[^\s:\\/]*\.[A-Za-z]\w*")

Object = dict[str, Any]


def render(record: RunRecord) -> str:
    """The record as a SARIF log. The run of Quartermaster itself is always there, and says how the whole ended."""
    tools: dict[str, list[Check]] = {"": []}
    for check in record.checks:
        tools.setdefault(check.tool, []).append(check)
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(record, *each) for each in tools.items()]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _run(record: RunRecord, tool: str, checks: list[Check]) -> Object:
    name = tool or OURSELVES
    results = [each for check in checks for each in _results(check)]
    rules: dict[str, Object] = {}
    for check, found, result in results:
        rule = rules.setdefault(result["ruleId"], _rule(result["ruleId"], check, found))
        _worsen(rule, check, severity_of(found, check) if found else check.severity)
    places = {rule: index for index, rule in enumerate(rules)}
    return {
        "tool": {"driver": {"name": name, "rules": list(rules.values())}},
        "automationDetails": {"id": f"{record.kind}/{name}/{record.id}"},
        "invocations": [_invocation(record, tool, checks)],
        "results": [{**result, "ruleIndex": places[result["ruleId"]]} for _, _, result in results],
        "properties": {
            "record": record.id,
            "status": record.status.value,
            "headline": make_digest(record).headline,
            "checks": {check.id: check.status.value for check in checks},
        },
    }


def _invocation(record: RunRecord, tool: str, checks: list[Check]) -> Object:
    """How the tool fared: it has succeeded only where nothing of it is NOT CHECKED."""
    notes = [
        _notification(
            "error" if check.status is CheckStatus.INCONCLUSIVE else "warning",
            f"NOT CHECKED: {check.title}: {check.reason}",
            check.id,
        )
        for check in checks
        if check.status in _NOT_CHECKED
    ]
    if not tool and lacks_a_red_check(record):
        notes.append(_notification("error", make_digest(record).headline))
    invocation: Object = {
        "executionSuccessful": not notes,
        "startTimeUtc": _moment(record.started),
        "endTimeUtc": _moment(record.finished),
        "toolExecutionNotifications": notes,
    }
    return invocation if tool else {**invocation, "exitCode": record.exit_code}


def _notification(level: str, text: str, check_id: str = "") -> Object:
    return {"level": level, "message": {"text": _plain(text)}, "properties": {"check": check_id}}


def _results(check: Check) -> Iterator[tuple[Check, Finding | None, Object]]:
    """A result for each finding, and one for the check itself where it failed for something else."""
    for found in check.findings:
        yield check, found, _result(check, found)
    if check.failures or (check.status in {CheckStatus.FAILED, CheckStatus.WAIVED} and not check.findings):
        yield check, None, _result(check, None)


def _result(check: Check, found: Finding | None) -> Object:
    severity = severity_of(found, check) if found else check.severity
    counts = check.status in {CheckStatus.FAILED, CheckStatus.WAIVED}
    accepted = (found.accepted if found else "") or (check.reason if check.status is CheckStatus.WAIVED else "")
    text = found.message or found.rule if found else "; ".join(check.failures) or check.reason
    mark = {"finding/v1": found.fingerprint} if found else {"check/v1": check.id}
    return {
        "ruleId": (found.rule if found else "") or check.id,
        "kind": "fail" if counts else "informational",
        "level": _LEVELS.get(severity, "note") if counts else "none",  # §3.27.10: only what fails has a level
        "message": {"text": _plain(text)},
        "locations": [_location(found.location if found else "", check)],
        "partialFingerprints": mark,
        "suppressions": [{"kind": "external", "status": "accepted", "justification": accepted}] if accepted else [],
        "properties": {
            "check": check.id,
            "severity": severity.value,
            "references": list(found.references) if found else [],
        },
    }


def _location(location: str, check: Check) -> Object:
    """A place in a file where the location is one, else the name of whatever it is. Tools tell of files."""
    place = _PLACE.fullmatch(location)
    if place is None or not (check.tool or _FILE.fullmatch(place["path"])):
        return {"logicalLocations": [{"fullyQualifiedName": location or check.id}]}
    physical: Object = {"artifactLocation": {"uri": quote(place["path"]), "uriBaseId": "%SRCROOT%"}}
    if place["line"]:
        physical["region"] = {"startLine": int(place["line"])}
    return {"physicalLocation": physical}


def _rule(name: str, check: Check, found: Finding | None) -> Object:
    pages = [each for each in (found.references if found else ()) if re.fullmatch(r"https?://[!-~]+", each)]
    return {
        "id": name,
        "shortDescription": {"text": _plain(name if found else check.title)},
        "fullDescription": {"text": _plain(check.title)},
        **({"helpUri": pages[0]} if pages else {}),
        "properties": {"tags": ["security", *check.categories] if check.categories else []},
    }


def _worsen(rule: Object, check: Check, severity: Severity) -> None:
    """Give a security rule the score of the worst of its results: what viewers sort and gate by."""
    properties: Object = rule["properties"]
    scores: Mapping[Severity, str] = _SCORES if check.categories else {}
    if severity in scores:
        properties["security-severity"] = max(properties.get("security-severity", "0.0"), scores[severity], key=float)


def _plain(text: str) -> str:
    """Text in which nothing is a placeholder (§3.11.5) or a link (§3.11.6)."""
    return re.sub(r"\[(?=[^\[\]]*\]\()", r"\\[", text.replace("{", "{{").replace("}", "}}"))


def _moment(moment: datetime) -> str:
    """A time as §3.9 has it, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"

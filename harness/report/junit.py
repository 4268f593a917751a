"""JUnit XML for CI: what failed is a failure, what could not be measured is an error, and nothing else is green
that did not pass.
"""

from xml.etree import ElementTree as ET

from harness.record import Check, Part, RunRecord
from harness.report.digest import count_open, lacks_a_red_check, make_digest
from harness.verdict import CheckStatus


def render(record: RunRecord) -> str:
    """The record as one <testsuites>: a suite per part of a nightly run, and one for what belongs to no part."""
    root = ET.Element("testsuites", name=record.kind, time=f"{record.duration_seconds:.3f}")
    for part in (None, *record.parts):
        checks = [check for check in record.checks if _part_of(check, record) is part]
        if checks or part is None:
            _add_suite(root, record, part, checks)
    for total in ("tests", "failures", "errors", "skipped"):
        root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _part_of(check: Check, record: RunRecord) -> Part | None:
    return next((part for part in record.parts if check.id.startswith(f"{part.name}.")), None)


def _add_suite(root: ET.Element, record: RunRecord, part: Part | None, checks: list[Check]) -> None:
    name = f"{record.kind}.{part.name}" if part else record.kind
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=record.started.isoformat())
    if part is None:
        _add_properties(suite, record)
    for check in checks:
        case = ET.SubElement(suite, "testcase", classname=name, name=check.id, time=f"{check.duration_seconds:.3f}")
        _add_outcome(case, check, allowed=check.id in record.allowed_inconclusive)
    if part is None and lacks_a_red_check(record):
        case = ET.SubElement(suite, "testcase", classname=name, name="verdict", time="0.000")
        ET.SubElement(case, "error", message=make_digest(record).headline, type=record.status)
    suite.set("tests", str(len(suite.findall("testcase"))))
    for tag, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(total, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("time", f"{part.duration_seconds if part else sum(check.duration_seconds for check in checks):.3f}")


def _add_outcome(case: ET.Element, check: Check, *, allowed: bool) -> None:
    text = "\n".join([check.title, *_details(check)])
    match check.status:
        case CheckStatus.FAILED:
            ET.SubElement(case, "failure", message=check.reason, type=check.severity).text = text
        case CheckStatus.INCONCLUSIVE if not allowed:
            ET.SubElement(case, "error", message=f"NOT CHECKED: {check.reason}", type=check.status).text = text
        case CheckStatus.INCONCLUSIVE:
            ET.SubElement(case, "skipped", message=f"NOT CHECKED (allowed): {check.reason}")
        case CheckStatus.SKIPPED:
            ET.SubElement(case, "skipped", message=f"NOT CHECKED: {check.reason}")
        case CheckStatus.NOT_APPLICABLE:
            ET.SubElement(case, "skipped", message=f"not applicable: {check.reason}")
        case CheckStatus.WAIVED:
            ET.SubElement(case, "skipped", message=f"waived: {check.reason}")
        case CheckStatus.PASSED:
            pass


def _details(check: Check) -> list[str]:
    findings = [
        f"{found.rule}: {found.message} [{found.fingerprint}]"
        + (f" at {found.location}" if found.location else "")
        + (f", does not count: {found.accepted}" if found.accepted else "")
        for found in check.findings
    ]
    return [check.reason, *findings, *check.evidence]


def _add_properties(suite: ET.Element, record: RunRecord) -> None:
    properties = ET.SubElement(suite, "properties")
    facts = {
        "record": record.id,
        "status": record.status,
        "exit_code": str(record.exit_code),
        "findings": str(count_open(record)),
        "target": record.target.url if record.target else "",
        "revision": record.revision.commit or "",
    }
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=value)

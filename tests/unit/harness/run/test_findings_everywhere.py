"""However many findings there are, the exit code and every report tell of the same ones."""

import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.record import parse_record
from harness.run import Run, Surroundings, run_job


@pytest.mark.parametrize("number", [0, 1, 255, 256, 257])
def test_exit_code_and_reports_agree_on_every_finding(tmp_path: Path, number: int) -> None:
    def body(run: Run) -> None:
        with run.check("code", "Nothing is dangerous", tool="bandit", categories=["A05:2025"]) as check:
            check.examined = number + 1
            for each in range(number):
                check.find(f"RULE-{each % 7}", f"finding {each:03}", location=f"package/module.py:{each + 1}")

    stdout = io.StringIO()
    surroundings = Surroundings(stdout=stdout, stderr=io.StringIO())
    code = run_job("example", body, arguments={}, reports_directory=tmp_path, surroundings=surroundings)
    assert code == (1 if number else 0)
    folder = tmp_path / "latest-example"

    record = parse_record((folder / "record.json").read_bytes())
    names = {found.fingerprint for check in record.checks for found in check.findings}
    assert len(names) == number
    assert record.exit_code == code

    runs = {run["tool"]["driver"]["name"]: run for run in json.loads((folder / "report.sarif").read_text())["runs"]}
    assert {each["partialFingerprints"]["finding/v1"] for each in runs["bandit"]["results"]} == names
    assert len(runs["bandit"]["results"]) == number
    assert runs["Quartermaster"]["invocations"][0]["exitCode"] == code
    assert runs["Quartermaster"]["results"] == []

    suite = ET.fromstring((folder / "junit.xml").read_text())
    failures = suite.findall("testsuite/testcase/failure")
    assert len(failures) == int(suite.get("failures", "")) == code
    assert set(re.findall(r"\[(\w{16})\]", "".join(failure.text or "" for failure in failures))) == names
    facts = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert (facts["findings"], facts["exit_code"]) == (str(number), str(code))

    page = (folder / "report.html").read_text()
    assert set(re.findall(r'data-finding="(\w+)"', page)) == names
    assert page.count("data-finding=") == number
    assert f"<dt>Exit code</dt><dd>{code}</dd>" in page

    text = (folder / "report.md").read_text()
    listed = len(re.findall(r"finding \d{3} at package", text))
    assert listed + beyond(text) == number
    assert f"exit {code}." in text

    said = stdout.getvalue()
    assert len(re.findall(r"^ +finding \d{3}$", said, re.MULTILINE)) + beyond(said) == number

    in_words = f"{number} finding{'' if number == 1 else 's'}"
    for report in (page, text, said, runs["Quartermaster"]["properties"]["headline"]):
        assert bool(re.search(rf"\b{in_words}\b", report)) == bool(number)
        assert bool(re.search(r"\b1 of 1 checks failed", report)) == bool(number)


def beyond(report: str) -> int:
    """How many findings a report says that it does not list."""
    return sum(int(more) for more in re.findall(r"and (\d+) more in", report))

"""A suite that breaks, hangs, says too little or finds nothing leaves its leg inconclusive, never passed."""

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from harness.collector import Run
from harness.conformance.job import Legs
from harness.conformance.leg import FIXTURE, Leg
from harness.conformance.measure import check_canary, measure_leg
from harness.conformance.suite import Requirements, Suite, install_suite
from harness.node import find_node
from harness.progress import SilentProgress
from harness.record import Check
from harness.targets import LocalTarget
from harness.verdict import CheckStatus

REQUIREMENTS = Requirements("2026-07-28", ("ping", "tools-list"), {"tasks-lifecycle": "extension"})
# A stand-in for the suite: it takes the same options, and leaves what it is told to.
PROGRAM = """
const fs = require("fs"), path = require("path");
const output = process.argv[process.argv.indexOf("--output-dir") + 1];
const leave = (scenario, ...statuses) => {
  const folder = path.join(output, `server-${scenario}-2026-11-23T01-34-52-898Z`);
  fs.mkdirSync(folder, { recursive: true });
  const checks = statuses.map((status) => ({ id: scenario, status, description: "made up" }));
  fs.writeFileSync(path.join(folder, "checks.json"), JSON.stringify(checks));
};
"""

Measure = Callable[[str], dict[str, Check]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run", SilentProgress())


@pytest.fixture
def measure(tmp_path: Path, run: Run) -> Measure:
    """Measure a leg with the stand-in, and return its checks; nothing is at the address."""

    def measured(script: str) -> dict[str, Check]:
        suite = Suite(tmp_path / "suite", "0", find_node(), os.environ, tmp_path / "logs")
        program = suite.package / "dist" / "index.js"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM + script)
        measure_leg(run, Leg(FIXTURE, REQUIREMENTS), suite, "http://127.0.0.1:9/mcp", set())
        return {check.id.removeprefix("fixture/2026-07-28").lstrip("/"): check for check in run.checks}

    return measured


def statuses(checks: dict[str, Check]) -> dict[str, str]:
    return {name: str(check.status) for name, check in checks.items()}


def test_the_stand_in_passes_when_it_leaves_everything(measure: Measure) -> None:
    checks = measure('leave("ping", "SUCCESS"); leave("tools-list", "SUCCESS"); leave("tasks-lifecycle", "FAILURE")')
    assert statuses(checks) == {
        "": "passed",
        "ping": "passed",
        "tools-list": "passed",
        "tasks-lifecycle": "not_applicable",
    }


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "0 of 2 scored scenarios left a result"),
        ('leave("ping", "SUCCESS")', "missing: tools-list"),
        ('leave("ping", "SUCCESS"); process.exit(7)', "broke off (exit code 7)"),
        ('leave("ping", "SUCCESS"); throw new Error("lost")', "1 of 2 scored scenarios left a result"),
        ('leave("ping", "SUCCESS"); process.kill(process.pid, "SIGKILL")', "broke off (exit code -9)"),
        ('leave("ping", "SUCCESS"); leave("tools-list", "SUCCESS"); process.exit(1)', "its results come to 0"),
        ('leave("ping", "SUCCESS"); leave("tools-list", "FAILURE")', "its results come to 1"),
    ],
)
def test_a_suite_that_did_not_run_whole_is_inconclusive(measure: Measure, script: str, reason: str) -> None:
    checks = measure(script)
    assert checks[""].status is CheckStatus.INCONCLUSIVE
    assert reason in checks[""].reason
    assert checks["tools-list"].status in {
        CheckStatus.INCONCLUSIVE,
        CheckStatus.PASSED if '"tools-list", "SUCCESS"' in script else CheckStatus.FAILED,
    }


def test_a_suite_that_hangs_is_ended(measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.conformance.suite.RUN_SECONDS", 1.0)
    checks = measure('leave("ping", "SUCCESS"); setInterval(() => {}, 1000)')
    assert "did not finish within 1 s" in checks[""].reason
    assert statuses(checks) == {
        "": "inconclusive",
        "ping": "passed",
        "tools-list": "inconclusive",
        "tasks-lifecycle": "not_applicable",
    }


def test_what_was_left_is_kept_as_evidence(measure: Measure, run: Run) -> None:
    measure('leave("ping", "SUCCESS"); process.exit(7)')
    raw = json.loads((run.directory / "fixture-2026-07-28.json").read_text())
    assert [checks[0]["id"] for checks in raw.values()] == ["ping"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("sound", [False, True])
def test_a_suite_that_does_not_find_the_known_defect_measures_nothing(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, *, sound: bool
) -> None:
    if sound:
        tool = {"name": "canary", "description": "Nothing is wrong with it", "inputSchema": {"type": "object"}}
        monkeypatch.setattr("harness.conformance.canary.TOOL", tool)
    check_canary(run, install_suite(logs=tmp_path, environ=os.environ), "2025-11-25")
    (check,) = run.checks
    assert check.status is (CheckStatus.INCONCLUSIVE if sound else CheckStatus.PASSED)
    assert ("tools-list: SUCCESS" in check.reason) == sound


@pytest.mark.parametrize("program", [None, "raise SystemExit('no fixture today')"])
def test_a_fixture_that_does_not_start_leaves_its_legs_unmeasured(
    tmp_path: Path, run: Run, local_target: LocalTarget, program: str | None
) -> None:
    path = tmp_path / "fixture.py"
    if program is not None:
        path.write_text(program)
    suite = Suite(tmp_path, "0", find_node(), os.environ, tmp_path)
    Legs(run, suite, [REQUIREMENTS], (), date(2026, 11, 23)).fixture(local_target, path, tmp_path / "logs", os.environ)
    (check,) = run.checks
    assert (check.id, check.status) == ("fixture", CheckStatus.INCONCLUSIVE)
    assert ("is missing" if program is None else "no fixture today") in check.reason

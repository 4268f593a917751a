"""How outcomes of scans become checks: what counts, what is only told, and that a doubt never passes."""

import io
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.collector import Run
from harness.errors import Inconclusive
from harness.progress import make_progress
from harness.verdict import CheckStatus, Severity
from security.findings import Found
from security.scan.run import Outcome, report
from security.scan.scanner import Judgement, Scene, Task


@dataclass(frozen=True)
class Named:
    name: str
    title: str = "nothing is found"
    program: str = "scanner"
    categories: tuple[str, ...] = ("A05:2025",)
    environment: str = "audit"

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:
        raise AssertionError("the outcomes are given: nothing is scanned here")


def found(severity: Severity, line: int, rule_class: str = "secret") -> Found:
    return Found(f"rule {line}", rule_class, severity, message=f"message {line}", path="a.py", line=line)


def outcome(name: str, *findings: Found, doubt: str = "") -> Outcome:
    return Outcome(Named(name), 1.5, Judgement(findings, examined=3, canary_seen=True, doubt=doubt))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, make_progress(io.StringIO(), silent=True))


def lines(_: str) -> list[str]:
    return ["one", "two", "three"]


def test_a_scan_that_found_nothing_passes_and_says_how_long_it_took(run: Run) -> None:
    report(run, [outcome("code")], Severity.MEDIUM, lines)
    (check,) = run.checks
    assert (check.status, check.examined, check.duration_seconds) == (CheckStatus.PASSED, 3, 1.5)
    assert (check.tool, check.categories) == ("scanner", ("A05:2025",))


def test_mild_findings_are_told_beside_and_do_not_count(run: Run) -> None:
    report(run, [outcome("code", found(Severity.LOW, 1))], Severity.MEDIUM, lines)
    assert [(check.id, check.status, len(check.findings)) for check in run.checks] == [
        ("code", CheckStatus.PASSED, 0),
        ("code.below", CheckStatus.NOT_APPLICABLE, 1),
    ]


def test_findings_from_the_limit_on_fail_with_the_worst_severity_first(run: Run) -> None:
    report(run, [outcome("code", found(Severity.MEDIUM, 1), found(Severity.CRITICAL, 2))], Severity.MEDIUM, lines)
    (check,) = run.checks
    assert (check.status, check.severity) == (CheckStatus.FAILED, Severity.CRITICAL)
    assert [(each.rule, each.severity) for each in check.findings] == [
        ("rule 2", Severity.CRITICAL),
        ("rule 1", Severity.MEDIUM),
    ]


def test_what_two_scanners_found_counts_once(run: Run) -> None:
    report(
        run,
        [outcome("code", found(Severity.LOW, 1)), outcome("secrets", found(Severity.HIGH, 1))],
        Severity.MEDIUM,
        lines,
    )
    assert [(check.id, check.status, len(check.findings)) for check in run.checks] == [
        ("code", CheckStatus.FAILED, 1),
        ("secrets", CheckStatus.PASSED, 0),
    ]


def test_a_doubt_is_inconclusive_and_what_was_found_counts_all_the_same(run: Run) -> None:
    report(run, [outcome("clean", doubt="too old"), outcome("dirty", found(Severity.HIGH, 1), doubt="too old")],
           Severity.MEDIUM, lines)  # fmt: skip
    clean, dirty, doubt = run.checks
    assert (clean.status, clean.reason) == (CheckStatus.INCONCLUSIVE, "too old")
    assert (dirty.status, len(dirty.findings)) == (CheckStatus.FAILED, 1)
    assert (doubt.id, doubt.status, doubt.reason) == ("dirty.doubt", CheckStatus.INCONCLUSIVE, "too old")
    assert run.allowed == []


def test_where_a_scanner_may_be_inconclusive_its_doubt_may_be(run: Run) -> None:
    run.allowed.append("dirty")
    report(run, [outcome("dirty", found(Severity.HIGH, 1), doubt="too old")], Severity.MEDIUM, lines)
    assert run.allowed == ["dirty", "dirty.doubt"]


def test_what_kept_a_scan_from_looking_is_its_reason(run: Run) -> None:
    report(run, [Outcome(Named("code"), 0.1, error=Inconclusive("it is not installed"))], Severity.MEDIUM, lines)
    (check,) = run.checks
    assert (check.status, check.reason) == (CheckStatus.INCONCLUSIVE, "it is not installed")

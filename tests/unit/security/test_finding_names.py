from dataclasses import replace
from pathlib import Path

from harness.verdict import Severity
from security.findings import Found, name_of, read_lines, tell_once

FOUND = Found(
    rule="B602",
    rule_class="bandit B602",
    severity=Severity.HIGH,
    message="shell",
    path="a.py",
    line=2,
    references=("x",),
)
LINES = ["import subprocess", "call(words, shell=True)", "", "call(words, shell=True)"]


def name(found: Found, lines: list[str]) -> str:
    return name_of(found, lambda _: lines)


def test_a_name_survives_moved_lines_and_other_indentation() -> None:
    moved = ["", "", *LINES]
    assert name(replace(FOUND, line=4), moved) == name(FOUND, LINES)
    assert name(FOUND, [LINES[0], f"    {LINES[1]}"]) == name(FOUND, LINES)


def test_two_lines_that_read_the_same_have_a_name_each() -> None:
    assert name(replace(FOUND, line=4), LINES) != name(FOUND, LINES)


def test_another_rule_path_or_text_is_another_name() -> None:
    others = [
        name(replace(FOUND, rule_class="bandit B603"), LINES),
        name(replace(FOUND, path="b.py"), LINES),
        name(FOUND, [LINES[0], "call(other, shell=True)"]),
    ]
    assert len({name(FOUND, LINES), *others}) == 4


def test_a_subject_stands_for_the_place() -> None:
    found = replace(FOUND, subject="jinja2 CVE-2020-28493")
    assert name(found, LINES) == name(replace(found, path="b.py", line=1), LINES)


def test_a_line_that_the_file_does_not_have_still_has_a_name() -> None:
    assert name(replace(FOUND, line=9), LINES) != name(replace(FOUND, line=0), LINES)


def test_what_two_scanners_find_is_told_once_with_the_worse_severity_and_both_rules() -> None:
    mild = replace(FOUND, severity=Severity.LOW)
    same = replace(FOUND, rule="Secret Keyword", references=("y",))
    other = replace(FOUND, line=4)
    told = tell_once({"code": [mild, mild], "secrets": [same, other]}, lambda _: LINES)
    (first,) = told["code"].values()
    assert (first.severity, first.references, first.message) == (
        Severity.HIGH,
        ("x", "y"),
        "shell (also Secret Keyword)",
    )
    assert [each.line for each in told["secrets"].values()] == [4]


def test_a_file_that_cannot_be_read_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path)("missing.py") == ()

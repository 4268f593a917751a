"""bandit, really run: it fires, it stays quiet, and what keeps it from looking is never a pass."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.verdict import Severity
from security.scan.bandit import Bandit
from tests.integration.security.conftest import Scan, trouble

StandIn = Callable[[str, str], Path]


def reply(metrics: str) -> str:
    return f'echo \'{{"errors": [], "metrics": {metrics}, "results": [], "generated_at": "now"}}\''


def test_it_stays_quiet_on_a_clean_project(scan_project: Scan) -> None:
    outcome = scan_project(Bandit())
    assert outcome.error is None
    assert outcome.judgement is not None
    assert outcome.judgement.findings == ()
    assert outcome.judgement.examined == 1
    assert outcome.judgement.canary_seen


def test_it_fires_on_planted_issues_also_where_a_comment_would_silence_it(scan_project: Scan, project: Path) -> None:
    (project / "package" / "run.py").write_text(
        "import subprocess\n\n\ndef go(words):\n    subprocess.call(words, shell=True)  # nosec\n"
    )
    (project / "tool").write_text("#!/usr/bin/env python3\nimport hashlib\nprint(hashlib.md5(b'').hexdigest())\n")
    judgement = scan_project(Bandit()).judgement
    assert judgement is not None
    found = {(each.rule, each.location, each.severity) for each in judgement.findings}
    assert ("B602", "package/run.py:5", Severity.HIGH) in found
    assert ("B324", "tool:3", Severity.HIGH) in found
    assert judgement.examined == 3


def test_a_secret_that_it_finds_is_not_repeated(scan_project: Scan, project: Path) -> None:
    (project / "package" / "login.py").write_text('PASSWORD = "correct-horse-battery"\n')
    judgement = scan_project(Bandit()).judgement
    assert judgement is not None
    assert [each.rule for each in judgement.findings] == ["B105"]
    assert "correct-horse" not in repr(judgement)


def test_what_is_left_out_is_not_examined(scan_project: Scan, project: Path) -> None:
    (project / "tests").mkdir()
    (project / "tests" / "test_it.py").write_text("assert True\n")
    judgement = scan_project(Bandit(leave_out=("tests",))).judgement
    assert judgement is not None
    assert judgement.examined == 1
    assert "left out, because samples stand there: 1 below tests" in judgement.evidence


def test_without_any_python_file_it_is_inconclusive(scan_project: Scan, project: Path) -> None:
    (project / "package" / "sums.py").unlink()
    assert "no Python file" in str(scan_project(Bandit()).error)


def test_files_without_a_line_of_code_are_inconclusive(scan_project: Scan, project: Path) -> None:
    (project / "package" / "sums.py").write_text("")
    assert "no line of code" in str(scan_project(Bandit()).error)


def test_a_file_that_does_not_parse_is_inconclusive(scan_project: Scan, project: Path) -> None:
    (project / "package" / "broken.py").write_text("def (\n")
    (project / "package" / "run.py").write_text("import subprocess\nsubprocess.call('ls', shell=True)\n")
    outcome = scan_project(Bandit())
    assert "package/broken.py could not be examined: syntax error" in trouble(outcome)
    assert outcome.judgement is not None
    assert outcome.judgement.findings != ()


def test_a_missing_tool_is_inconclusive(scan_project: Scan, tmp_path: Path) -> None:
    error = str(scan_project(Bandit(), stand_in=tmp_path / "empty" / "bin").error)
    assert error.startswith("bandit is not installed in empty: remove empty")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo all is well", "has not the form it must have (no JSON; exit code 0)"),
        ("echo '{\"errors\": []}'", "metrics: Field required"),
        ("echo it broke >&2; exit 2", "exit code 2: it broke"),
        ("kill -9 $$", "exit code -9"),
        (
            'echo \'{"errors": [], "metrics": {}, "results": [], "generated_at": "now"}\'',
            "1 of 1 files were not examined",
        ),
        (reply('{"./package/sums.py": {"loc": 3}}'), "did not find what was planted"),
        ("sleep 60", "did not finish within 1 s"),
    ],
)
def test_output_that_is_no_evidence_is_inconclusive(
    scan_project: Scan, stand_in: StandIn, script: str, reason: str
) -> None:
    outcome = scan_project(Bandit(), stand_in=stand_in("bandit", script), seconds=1)
    assert outcome.judgement is None
    assert reason in str(outcome.error)


def test_cells_of_notebooks_are_examined_each_line_at_its_place(scan_project: Scan, project: Path) -> None:
    source = ["%matplotlib inline\n", "import subprocess\n", "subprocess.call(words, shell=True)\n"]
    cells = [{"cell_type": "markdown", "source": ["# A sum\n"]}, {"cell_type": "code", "source": source}]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1)
    (project / "sums.ipynb").write_text(text)
    (project / "broken.ipynb").write_text("{")
    outcome = scan_project(Bandit())
    line = 1 + next(number for number, each in enumerate(text.split("\n")) if "shell=True" in each)
    assert outcome.judgement is not None
    assert ("B602", f"sums.ipynb:{line}") in {(each.rule, each.location) for each in outcome.judgement.findings}
    assert outcome.judgement.examined == 2
    assert trouble(outcome) == "broken.ipynb could not be examined: it is no notebook of format 4"


def test_what_a_scanner_leaves_among_temporary_files_goes_with_the_scratch_folder(
    scan_project: Scan, stand_in: StandIn, tmp_path: Path
) -> None:
    scan_project(Bandit(), stand_in=stand_in("bandit", 'echo left > "$TMPDIR/left.tmp"'))
    (left,) = tmp_path.rglob("left.tmp")
    assert left.relative_to(tmp_path).parts[0] == "scratch-0"

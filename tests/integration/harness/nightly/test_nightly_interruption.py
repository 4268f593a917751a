"""Ctrl-C and SIGTERM in the middle of a night."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.record import parse_record
from harness.verdict import CheckStatus, PartStatus, Status

PROGRAM = Path(__file__).with_name("night_program.py")
ROOT = Path(__file__).resolve().parents[4]


def wait_for_pid(path: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.02)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_night_ends_its_child_and_leaves_a_record(tmp_path: Path, number: int, code: int) -> None:
    reports, notes = tmp_path / "reports", tmp_path / "notes"
    notes.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FAKE_REPORTS": str(reports), "FAKE_NOTES": str(notes)}
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "passes", "is_slow", "fails"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child = wait_for_pid(notes / "slow")
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)

    assert process.returncode == code
    assert not psutil.pid_exists(child)
    assert len(stderr.splitlines()) == 1
    assert "INTERRUPTED" in stdout
    record = parse_record((reports / "latest-nightly" / "record.json").read_bytes())
    assert (record.status, record.exit_code) == (Status.INTERRUPTED, code)
    assert [(part.name, part.status) for part in record.parts] == [
        ("passes", PartStatus.PASSED),
        ("is-slow", PartStatus.INCONCLUSIVE),
        ("fails", PartStatus.INCONCLUSIVE),
    ]
    assert record.parts[1].reason == "interrupted"
    assert record.parts[2].reason == "not reached: the night was interrupted"
    statuses = {check.id: check.status for check in record.checks}
    assert statuses["is-slow.findings"] is CheckStatus.FAILED
    assert statuses["fails.ran"] is CheckStatus.INCONCLUSIVE

"""A job as a real process: signals, pipes, terminals, closed readers."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.record import RunRecord, parse_record
from harness.verdict import CheckStatus, Status

PROGRAM = Path(__file__).with_name("job_program.py")
ROOT = Path(__file__).resolve().parents[4]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def command(body: str, reports: Path, *options: str) -> list[str]:
    return [sys.executable, str(PROGRAM), body, str(reports), *options]


def run(body: str, reports: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(body, reports, *options), env=ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )


def wait_for(found: Callable[[], list[Path]]) -> Path:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if paths := [path for path in found() if path.read_text()]:
            return paths[0]
        time.sleep(0.02)
    raise AssertionError("nothing appeared")


def record_in(reports: Path) -> RunRecord:
    return parse_record((reports / "latest-example" / "record.json").read_bytes())


def interrupt(body: str, reports: Path, number: int) -> tuple[int, str, str, int]:
    process = subprocess.Popen(
        command(body, reports), env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    pid = int(wait_for(lambda: list(reports.glob("*/logs/child.pid"))).read_text())
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    return process.returncode, stdout, stderr, pid


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_record_one_line_and_no_process(tmp_path: Path, number: int, code: int) -> None:
    returned, stdout, stderr, pid = interrupt("waits", tmp_path, number)
    assert returned == code
    assert "INTERRUPTED" in stdout
    (line,) = stderr.splitlines()
    assert line.startswith(f"example: interrupted by {signal.Signals(number).name}")
    record = record_in(tmp_path)
    assert (record.status, record.exit_code) == (Status.INTERRUPTED, code)
    assert {check.id: check.status for check in record.checks} == {
        "answers": CheckStatus.PASSED,
        "waits": CheckStatus.INCONCLUSIVE,
        "run": CheckStatus.INCONCLUSIVE,
    }
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_an_event_loop_with_its_cleaning_up(tmp_path: Path, number: int, code: int) -> None:
    returned, _, stderr, _ = interrupt("waits_in_a_loop", tmp_path, number)
    assert returned == code
    assert len(stderr.splitlines()) == 1
    assert list(tmp_path.glob("*/logs/cleaned-up"))


def test_a_pipe_sees_the_summary_without_colours_and_no_progress(tmp_path: Path) -> None:
    done = run("passes", tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    assert "PASSED" in done.stdout
    assert "\x1b" not in done.stdout


def test_json_prints_only_the_record(tmp_path: Path) -> None:
    done = run("passes", tmp_path, "--json")
    assert parse_record(done.stdout) == record_in(tmp_path)
    assert done.stderr == ""


def test_a_report_folder_that_is_a_file_exits_2_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("")
    done = run("passes", tmp_path / "reports")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_reader_that_closes_early_does_not_change_the_verdict(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        done = subprocess.run(
            command("passes", tmp_path), env=ENVIRONMENT, stdout=stdout, stderr=subprocess.PIPE, timeout=30, check=False
        )
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.parametrize("plain", [False, True])
def test_a_terminal_sees_progress_and_colour_unless_told_otherwise(tmp_path: Path, *, plain: bool) -> None:
    reader, writer = pty.openpty()
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in {"NO_COLOR", "FORCE_COLOR"}}
    process = subprocess.Popen(
        command("passes", tmp_path),
        env={**environment, **({"NO_COLOR": "1"} if plain else {})},
        stdout=writer,
        stderr=writer,
    )
    os.close(writer)
    shown = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
        while chunk := os.read(reader, 65_536):
            shown += chunk
    os.close(reader)
    assert process.wait(timeout=20) == 0
    text = shown.decode()
    assert "It answers" in text
    assert "PASSED" in text
    assert ("\x1b[1;32m" in text) is not plain
    assert ("\x1b[32m" in text) is not plain


def test_a_language_without_utf_8_is_no_obstacle(tmp_path: Path) -> None:
    environment = {**ENVIRONMENT, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command("passes", tmp_path), env=environment, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")

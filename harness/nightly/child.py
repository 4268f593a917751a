"""Run one job as a child process under its budget, and judge what it left: its record, its exit code, its last word."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness import verdict
from harness.errors import RecordError
from harness.nightly.model import Job
from harness.process import Command, ProcessError, running
from harness.record import RECORD_NAME, RunRecord, parse_record
from harness.report.digest import duration
from harness.verdict import Status


@dataclass(frozen=True)
class Launcher:
    """How jobs are started: the words before a job's own, their environment and folder, and where records go."""

    program: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    reports_directory: Path
    stop_seconds: float
    """How long an ended job may take to stop its own children and write its record before it is killed."""


@dataclass(frozen=True)
class Outcome:
    """What became of a child. A valid record may come with a problem: then it is evidence, but no verdict."""

    exit_code: int | None = None
    record: RunRecord | None = None
    problem: str = ""
    interruption: KeyboardInterrupt | None = None


def run_child(job: Job, launcher: Launcher, logs: Path, now: Callable[[], datetime]) -> Outcome:
    """Run the job to its end, or end it when its budget is spent or this process is interrupted."""
    command = Command(job.name, [*launcher.program, *job.command, "--json"], launcher.environment, launcher.directory)
    started, problem, interruption = now(), "", None
    try:
        with running(command, logs=logs, stop_seconds=launcher.stop_seconds) as child:
            try:
                child.wait(seconds=job.budget_seconds)
            except ProcessError:
                problem = f"did not finish within its budget of {duration(job.budget_seconds)}"
            except KeyboardInterrupt as signalled:
                problem, interruption = "interrupted", signalled
    except ProcessError as error:
        return Outcome(problem=str(error))
    exit_code = child.exit_code
    assert exit_code is not None  # it was stopped on the way out
    try:
        record = _read_record(child.stdout, launcher.reports_directory, started)
    except RecordError as error:
        ending = problem or _ending(exit_code)
        said = _last_line(child.stderr)
        reasons = [ending, "" if exit_code == verdict.USAGE else str(error), f"it said: {said}" if said else ""]
        return Outcome(exit_code, None, "; ".join(reason for reason in reasons if reason), interruption)
    return Outcome(exit_code, record, problem or _contradiction(exit_code, record), interruption)


def _read_record(stdout: Path, reports_directory: Path, started: datetime) -> RunRecord:
    """The record that the child printed, if it is the one that it put into the report folder since it was started."""
    printed = stdout.read_bytes()
    if not printed.strip():
        raise RecordError("it printed no record")
    record = parse_record(printed)
    if record.started < started:
        raise RecordError(f"the record that it printed is of an earlier run ({record.id})")
    kept = reports_directory / record.id / RECORD_NAME
    try:
        if parse_record(kept.read_bytes()) != record:
            raise RecordError(f"the record that it printed differs from {kept}")
    except OSError as error:
        raise RecordError(f"it left no record at {kept}: {error.strerror}") from None
    return record


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"ended by {signal.Signals(-exit_code).name}"
    if exit_code == verdict.USAGE:
        return "wrong usage or configuration (exit code 2)"
    return f"exit code {exit_code}"


def _contradiction(exit_code: int, record: RunRecord) -> str:
    """Why a record does not stand for a finished run; empty when it does."""
    if exit_code != record.exit_code:
        return f"{_ending(exit_code)} contradicts its record, which says {record.status} ({record.exit_code})"
    return f"was interrupted ({_ending(exit_code)})" if record.status is Status.INTERRUPTED else ""


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 8_000))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")

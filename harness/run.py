"""Run one job: its body collects evidence, and whatever happens a record, its reports and an exit code come of it."""

import difflib
import mimetypes
import secrets
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from pydantic import JsonValue

from harness import verdict
from harness.baseline import apply_baseline
from harness.collector import Run, describe
from harness.edge import Interrupted, raising_on_signals, say, signal_of, write_out
from harness.errors import UsageError
from harness.files import digest, point_atomically, write_atomically
from harness.machine import read_environment, read_revision
from harness.progress import make_progress
from harness.record import ALLOW_INCONCLUSIVE, RECORD_NAME, Artifact, Check, RunRecord, Target, dump_record, make_id
from harness.report import REPORT_NAMES, write_reports
from harness.report.terminal import print_summary
from harness.retention import remove_old_runs
from harness.verdict import CheckStatus, Status
from harness.waivers import Waiver, apply_waivers

__all__ = ["Run", "Surroundings", "run_job"]

Body = Callable[[Run], None]
ENDED_EARLY = "run"
"""The id of the check that a job gets when its body did not come to its end."""
REPORTS = "reports"
"""The id of the check that a job gets when one of its reports could not be written."""


@dataclass(frozen=True)
class Surroundings:
    """The world outside a job: clocks, randomness and the two streams."""

    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    monotonic: Callable[[], float] = time.monotonic
    random_hex: Callable[[], str] = field(default=lambda: secrets.token_hex(4))
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)


@dataclass(frozen=True)
class Start:
    """What is known of a job when it starts."""

    kind: str
    id: str
    arguments: Mapping[str, JsonValue]
    started: datetime
    started_monotonic: float


def run_job(
    kind: str,
    body: Body,
    *,
    arguments: Mapping[str, JsonValue],
    reports_directory: Path,
    target: Target | None = None,
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    known_ids: Collection[str] = (),
    waivers: Sequence[Waiver] = (),
    baseline: RunRecord | None = None,
    keep_runs: int | None = None,
    surroundings: Surroundings | None = None,
) -> int:
    """Run `body` and return the exit code, having written `reports_directory`/ID/record.json and its reports.

    - An id of `allow_inconclusive` that no check has when the body is at its end makes the run inconclusive, in a check
      of its own: a slip of the pen would else allow nothing, and nobody would know. Those of `known_ids` are no slips:
      a check may have them, though it has not come about this time.
    - What `baseline` had found already is told and does not fail; its id stands among the arguments.
    - What the body raises outside a check makes the run inconclusive, its cause in a check named "run"; a UsageError
      raised before anything was checked is wrong usage instead: exit 2, no record.
    - SIGINT and SIGTERM end the body, and the record says so: 130, 143.
    - A folder that cannot be written to is exit 2 before the body starts.
    - With `keep_runs`, older runs than the newest so many are removed from the report folder.
    - `as_json` prints the record alone on stdout; else a summary for people is printed.

    Must be called in the main thread, which receives the signals.
    """
    outside = surroundings or Surroundings()
    started = outside.now()
    if baseline is not None:
        arguments = {**arguments, "baseline": baseline.id}
    start = Start(kind, make_id(kind, started, outside.random_hex()), arguments, started, outside.monotonic())
    directory = reports_directory / start.id
    try:
        directory.mkdir(parents=True)
        write_atomically(directory / RECORD_NAME, b"{}\n")
        (directory / RECORD_NAME).unlink()
    except OSError as error:
        say(outside.stderr, kind, f"cannot write to the report folder {reports_directory}: {error.strerror}")
        return verdict.USAGE
    progress = make_progress(outside.stderr, silent=as_json)
    run = Run(directory, progress, target, outside.monotonic)
    run.allowed.extend(allow_inconclusive)
    with raising_on_signals() as hold_signals:
        try:
            interrupted_by = _run_body(run, body, outside, kind, known_ids)
            hold_signals()
        except Interrupted as late:  # after the body's end, before signals were held
            interrupted_by = late.received
        except UsageError as error:
            with suppress(OSError):
                directory.rmdir()
            say(outside.stderr, kind, str(error))
            return verdict.USAGE
        finally:
            progress.close()
        code = _finish(start, run, outside, waivers, baseline, interrupted_by, as_json=as_json)
        if keep_runs is not None:
            _tidy(reports_directory, keep_runs, outside, kind)
        return code


def _run_body(
    run: Run, body: Body, outside: Surroundings, kind: str, known_ids: Collection[str]
) -> signal.Signals | None:
    """Run the body; the signal that ended it, if one did."""
    asked = tuple(run.allowed)
    try:
        body(run)
        _refuse_unknown(run, asked, known_ids)
    except KeyboardInterrupt as interruption:
        received = signal_of(interruption)
        _end_early(run, f"interrupted by {received.name}")
        return received
    except Exception as error:
        if isinstance(error, UsageError) and not run.has_begun:
            raise
        run.keep_traceback(error)
        _end_early(run, describe(error))
        run.progress.close()
        say(outside.stderr, kind, describe(error))
    return None


def _tidy(reports_directory: Path, keep: int, outside: Surroundings, kind: str) -> None:
    """Remove old runs. That this fails is worth a line, but says nothing about what was measured."""
    try:
        remove_old_runs(reports_directory, keep)
    except OSError as error:
        say(outside.stderr, kind, f"old runs could not be removed: {error}")


def _refuse_unknown(run: Run, asked: Sequence[str], known_ids: Collection[str]) -> None:
    """Say which ids that were to be allowed no check has. They allow nothing, least of all the check that says so."""
    known = {ENDED_EARLY, REPORTS, *known_ids, *(check.id for check in run.checks)}
    unknown = [name for name in dict.fromkeys(asked) if name not in known]
    if not unknown:
        return
    run.allowed = [name for name in run.allowed if name in known]
    close = [(name, difflib.get_close_matches(name, known, n=1)) for name in unknown]
    named = (f"{name!r}, did you mean {match[0]}?" if match else repr(name) for name, match in close)
    run.add_check(
        Check(
            id=ALLOW_INCONCLUSIVE,
            title="What --allow-inconclusive names are checks of this run",
            status=CheckStatus.INCONCLUSIVE,
            reason=f"no check has the id {'; nor '.join(named)}",
        )
    )


def _end_early(run: Run, reason: str) -> None:
    run.add_check(
        Check(id=ENDED_EARLY, title="The job comes to its end", status=CheckStatus.INCONCLUSIVE, reason=reason)
    )


def _finish(
    start: Start,
    run: Run,
    outside: Surroundings,
    waivers: Sequence[Waiver],
    baseline: RunRecord | None,
    interrupted_by: signal.Signals | None,
    *,
    as_json: bool,
) -> int:
    """Write the evidence, print it, and return the exit code."""
    try:
        run.checks = list(apply_waivers(start.kind, run.checks, waivers, outside.now().date()))
        if baseline is not None:
            run.checks = list(apply_baseline(run.checks, baseline))
        record = _write_evidence(start, run, outside, interrupted_by)
    except Exception as error:  # noqa: BLE001 -- without a record there is no verdict, whatever the reason
        with suppress(OSError):
            run.keep_traceback(error)
        cause = error.strerror if isinstance(error, OSError) else describe(error)
        say(outside.stderr, start.kind, f"the record could not be written to {run.directory}: {cause}")
        return verdict.INCONCLUSIVE
    if as_json:
        write_out(outside.stdout, dump_record(record).decode())
    else:
        print_summary(record, run.directory, outside.stdout)
    if interrupted_by is not None:
        say(outside.stderr, start.kind, f"interrupted by {interrupted_by.name}; {run.directory} holds what there is")
    return record.exit_code


def _write_evidence(start: Start, run: Run, outside: Surroundings, interrupted_by: signal.Signals | None) -> RunRecord:
    """Write the reports, and the record last: where it stands, the run's folder is complete."""
    record = _make_record(start, run, outside, interrupted_by)
    try:
        write_reports(record, run.directory)
    except Exception as error:  # noqa: BLE001 -- evidence comes first: the record is written whatever a report does
        run.keep_traceback(error)
        reason = f"a report could not be written: {describe(error)}"
        say(outside.stderr, start.kind, reason)
        run.checks.append(
            Check(id=REPORTS, title="The reports are written", status=CheckStatus.INCONCLUSIVE, reason=reason)
        )
        record = _make_record(start, run, outside, interrupted_by)
    write_atomically(run.directory / RECORD_NAME, dump_record(record))
    point_atomically(run.directory.parent / f"latest-{start.kind}", start.id)
    return record


def _make_record(start: Start, run: Run, outside: Surroundings, interrupted_by: signal.Signals | None) -> RunRecord:
    status = verdict.judge(((check.id, check.status) for check in run.checks), run.allowed)
    if interrupted_by is not None:
        status = Status.INTERRUPTED
    arguments = dict(start.arguments)
    if run.allowed:
        arguments[ALLOW_INCONCLUSIVE] = list(run.allowed)
    return RunRecord(
        id=start.id,
        kind=start.kind,
        target=run.target,
        revision=read_revision(),
        arguments=arguments,
        started=start.started,
        finished=outside.now(),
        duration_seconds=round(outside.monotonic() - start.started_monotonic, 6),
        environment=read_environment(),
        status=status,
        exit_code=verdict.exit_code(status, interrupted_by),
        parts=tuple(run.parts),
        checks=tuple(run.checks),
        measurements=tuple(run.measurements),
        series=tuple(run.series),
        artifacts=(*_own_artifacts(run.directory), *run.artifacts),
    )


def _own_artifacts(directory: Path) -> list[Artifact]:
    """Every regular file in the run's folder but the record and its reports, which are made after it."""
    made_later = {RECORD_NAME, *REPORT_NAMES}
    files = sorted(path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return [
        Artifact(
            path=path.relative_to(directory).as_posix(),
            media_type=_media_type(path),
            sha256=digest(path),
            bytes=path.stat().st_size,
        )
        for path in files
        if path.relative_to(directory).as_posix() not in made_later
    ]


def _media_type(path: Path) -> str:
    if path.suffix in {".log", ".md", ".toml"}:
        return "text/plain"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"

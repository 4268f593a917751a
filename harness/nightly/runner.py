"""Run the night's jobs one after the other and leave one record of all of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.nightly.child import Launcher, run_child
from harness.nightly.merge import Merged, left_out, merge
from harness.nightly.model import Job
from harness.report.digest import duration
from harness.run import Run, Surroundings, run_job
from harness.verdict import PartStatus

KIND = "nightly"
PROGRAM = ("./inv",)
NOT_QUICK = "needs something outside this machine, and --quick leaves such jobs out"
STOP_SECONDS = 30.0


def run_nightly(
    jobs: Sequence[Job],
    *,
    directory: Path,
    environment: Mapping[str, str],
    reports_directory: Path,
    quick: bool = False,
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    keep_runs: int | None = None,
    program: Sequence[str] = PROGRAM,
    stop_seconds: float = STOP_SECONDS,
    surroundings: Surroundings | None = None,
) -> int:
    """Return the night's exit code, its record and reports written like any job's.

    Each job runs as `program` JOB --json in `directory`, in a process group of its own, for its budget at most. It must
    print its record and keep it under the same `reports_directory`. What does not come to a verdict, for whatever
    reason, is an inconclusive part; so are the jobs that an interruption kept from running.
    """
    outside = surroundings or Surroundings()
    launcher = Launcher(program, environment, directory, reports_directory.absolute(), stop_seconds)

    def body(run: Run) -> None:
        if not jobs:
            raise UsageError("ops.toml names no [[nightly.jobs]]: there is nothing to run")
        for index, job in enumerate(jobs):
            if quick and job.needs_outside:
                _add(run, left_out(job, PartStatus.SKIPPED, NOT_QUICK))
                continue
            run.progress.now(f"{job.name}, for at most {duration(job.budget_seconds)}")
            began = outside.monotonic()
            outcome = run_child(job, launcher, run.directory / "logs", outside.now)
            _add(run, merge(job, outcome, launcher, outside.monotonic() - began))
            if outcome.interruption:
                for other in jobs[index + 1 :]:
                    _add(run, left_out(other, PartStatus.INCONCLUSIVE, "not reached: the night was interrupted"))
                raise outcome.interruption

    return run_job(
        KIND,
        body,
        arguments={"quick": quick},
        reports_directory=reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        keep_runs=keep_runs,
        surroundings=outside,
    )


def _add(run: Run, merged: Merged) -> None:
    run.parts.append(merged.part)
    run.merge(merged.checks, merged.measurements, merged.artifacts)
    run.allowed.extend(merged.allowed)

"""A job that measures one target: ops.toml and waivers read, the target opened, the run recorded."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.run import run_job
from harness.targets import RunningTarget, open_target
from harness.waivers import load_waivers


def run_on_target(
    kind: str,
    measure: Callable[[Run, RunningTarget], None],
    *,
    repository: Path,
    environ: Mapping[str, str],
    target_name: str,
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
) -> int:
    """Return the exit code of a job that has measured the target of this name, its record written.

    Raises UsageError for an unusable ops.toml or waivers.toml; every other failure is in the record.
    """
    configuration = load(repository / "ops.toml")
    waivers = load_waivers(repository / "waivers.toml", datetime.now(UTC).date())

    def body(run: Run) -> None:
        run.progress.now(f"opening target {target_name}")
        with open_target(target_name, configuration, logs=run.directory / "logs", environ=environ) as target:
            run.target = target.target
            measure(run, target)

    return run_job(
        kind,
        body,
        arguments={"target": target_name},
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        waivers=waivers,
        keep_runs=configuration.reports.keep,
    )

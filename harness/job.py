"""A job as ops.toml wants it: where its record goes, how many are kept, what is waived; and one that opens a target."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from harness.collector import Run
from harness.config import Configuration, load
from harness.record import COMMAND
from harness.run import Body, run_job
from harness.targets import RunningTarget, open_target
from harness.waivers import load_waivers


def run_configured(
    kind: str,
    body: Body,
    configuration: Configuration,
    *,
    arguments: Mapping[str, JsonValue],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
) -> int:
    """Return the exit code of a job, its record written where ops.toml says, with what waivers.toml accepts.

    Raises UsageError for an unusable waivers.toml.
    """
    return run_job(
        kind,
        body,
        arguments=arguments,
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        waivers=load_waivers(configuration.path.with_name("waivers.toml"), datetime.now(UTC).date()),
        keep_runs=configuration.reports.keep,
    )


def spell(
    kind: str, options: Iterable[tuple[str, str]], allow_inconclusive: Sequence[str], *, flags: Sequence[str] = ()
) -> dict[str, JsonValue]:
    """The words after ./inv that ask for the same again, as an argument of the record; an empty value is left out."""
    given = [*options, *(("--allow-inconclusive", name) for name in allow_inconclusive)]
    words: list[JsonValue] = [kind, *(word for option, value in given if value for word in (option, value)), *flags]
    return {COMMAND: words}


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

    def body(run: Run) -> None:
        run.progress.now(f"opening target {target_name}")
        with open_target(target_name, configuration, logs=run.directory / "logs", environ=environ) as target:
            run.target = target.target
            measure(run, target)

    return run_configured(
        kind,
        body,
        configuration,
        arguments={"target": target_name},
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )

"""The job behind `./inv load`: profile and target found, k6 run, its record written."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.collector import Run
from harness.config import LOCAL, Configuration, find_target, load
from harness.errors import UsageError
from harness.run import run_job
from harness.targets import RunningTarget, open_target, start_local
from harness.waivers import load_waivers
from perf.load.judge import judge
from perf.load.k6 import MIX, find_k6, run_k6
from perf.load.model import LoadTable, Profile

# A server started for the load must not refuse it: what the limiter does is another job's question.
LOCAL_SETTINGS = {"RATE_LIMIT_RPM": "1000000"}


@dataclass(frozen=True)
class Options:
    """What `./inv load` was asked for. `allow_production` repeats the name of a production target."""

    profile: str
    target: str = LOCAL
    allow_production: str = ""


@dataclass(frozen=True)
class Tool:
    """Which k6 runs which script."""

    program: Path
    script: Path = MIX


def run_load(
    options: Options,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    tool: Tool | None = None,
) -> int:
    """Return the exit code of a load, its record written.

    Raises UsageError for an unusable ops.toml or waivers.toml, an unknown profile or target, and a production target
    that was not named twice.
    """
    configuration = load(repository / "ops.toml", {"load": LoadTable})
    profile = configuration.table("load", LoadTable).find(options.profile)
    waivers = load_waivers(repository / "waivers.toml", datetime.now(UTC).date())
    refuse_production(options, configuration)

    def body(run: Run) -> None:
        run.progress.now(f"opening target {options.target}")
        with _open(options.target, configuration, logs=run.directory / "logs", environ=environ) as target:
            run.target = target.target
            measure_load(run, target, profile, environ=environ, tool=tool or Tool(find_k6()))

    return run_job(
        "load",
        body,
        arguments={"profile": options.profile, "target": options.target},
        reports_directory=configuration.reports_directory,
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
        waivers=waivers,
        keep_runs=configuration.reports.keep,
    )


def refuse_production(options: Options, configuration: Configuration) -> None:
    """Raise UsageError for a production target unless the operator has repeated its name."""
    if options.target == LOCAL or not find_target(configuration, options.target).production:
        return
    if options.allow_production != options.target:
        raise UsageError(
            f"target {options.target} is production: no load is sent there unasked; "
            f"to send it all the same, add --allow-production {options.target}"
        )


def measure_load(run: Run, target: RunningTarget, profile: Profile, *, environ: Mapping[str, str], tool: Tool) -> None:
    """Run the profile and judge it. Without enough answers nothing is judged, and the run is inconclusive."""
    if target.target.production and profile.update_percent:
        run.skip("updates", "orders are updated", "nothing is changed on a production target")
        profile = profile.model_copy(update={"update_percent": 0})
    endpoint: dict[str, Any] = {"url": target.url, "token": target.token, "store": target.store}
    title = f"{profile.users} users for {profile.seconds} s get at least {profile.minimum_answers} answers"
    summary = None
    with run.check("traffic", title, at_least=profile.minimum_answers) as check:
        summary = run_k6(tool.program, tool.script, profile, endpoint, directory=run.directory, environ=environ)
        check.examined = summary.count("answers")
    if summary is not None and summary.count("answers") >= profile.minimum_answers:
        judge(run, summary, profile)


def _open(
    name: str, configuration: Configuration, *, logs: Path, environ: Mapping[str, str]
) -> AbstractContextManager[RunningTarget]:
    if name == LOCAL:
        return start_local(logs=logs, environ=environ, settings=LOCAL_SETTINGS)
    return open_target(name, configuration, logs=logs, environ=environ)

"""The job behind `./inv profile.cache`: a server for each time to live, the same workload on all, then a full cache."""

import contextlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.edge import write_out
from harness.job import run_configured
from harness.targets import start_local
from perf.caching.judge import judge, table_of
from perf.caching.memory import measure_memory
from perf.caching.model import CacheTable
from perf.caching.settings import SETTINGS, living
from perf.caching.traffic import arm_of, carry_out
from perf.caching.workload import Workload
from perf.queries.model import ProfileTable

KIND = "profile.cache"
DEFAULT = "default"


def profile_cache(
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    python: Path | None = None,
) -> int:
    """Return the exit code of the profile, its record written and its table printed.

    `python` is the servers' interpreter. Raises UsageError for an unusable ops.toml.
    """
    configuration = load(repository / "ops.toml", {"profile": ProfileTable})
    table = configuration.table("profile", ProfileTable).cache
    found = ""

    def body(run: Run) -> None:
        nonlocal found
        arms = {DEFAULT: SETTINGS} | {f"{seconds:g} s": living(seconds) for seconds in table.seconds_to_live}
        found = measure_staleness(run, table, arms, environ, python)
        measure_memory(run, table.memory, environ, python)

    code = run_configured(
        KIND, body, configuration, arguments={}, as_json=as_json, allow_inconclusive=allow_inconclusive
    )
    if found and not as_json:
        write_out(sys.stdout, f"\n{found}\n")
    return code


def measure_staleness(
    run: Run,
    table: CacheTable,
    arms: Mapping[str, Mapping[str, str]],
    environ: Mapping[str, str],
    python: Path | None = None,
) -> str:
    """Do the workload on a server with each of these settings, and judge it; returns the table, empty without evidence.

    Raises HarnessError where a server does not start.
    """
    with contextlib.ExitStack() as stack:
        running = []
        for name, settings in arms.items():
            run.progress.now(f"starting a server, time to live {name}")
            logs = run.directory / "logs" / name.replace(" ", "")
            target = stack.enter_context(start_local(logs=logs, environ=environ, settings=settings, python=python))
            run.target = run.target or target.target
            running.append(stack.enter_context(arm_of(name, target)))
        began = carry_out(running, Workload(table, running[0].initial).steps(), run.progress)
        seen = judge(run, running, table, began)
    if not seen:
        return ""
    found = table_of(seen)
    with run.check("table", "The table: hits, calls of OrderDesk and staleness by tool and time to live") as check:
        check.examined = len(seen)
        check.evidence.extend(found.splitlines())
    return found

"""The job behind `./inv load.capacity`: the search, and what it says of the server."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.errors import UsageError
from harness.job import run_configured
from harness.record import Direction
from perf.capacity.model import CapacityTable
from perf.capacity.search import Capacity, Outcome, Step, conclude, search
from perf.capacity.step import Stage
from perf.errors import PerfError
from perf.load.evidence import add_series
from perf.load.job import Options, Tool, admin_token_for, choose_profile, open_for, refuse_production, spell_load
from perf.load.k6 import find_k6
from perf.load.model import LoadTable
from perf.load.sampling import write_series


def run_capacity(
    options: Options,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    tool: Tool | None = None,
) -> int:
    """Return the exit code of a search for the capacity, its record written.

    Raises UsageError as run_load does, and for a profile of a scenario that is no mix, or that writes to production.
    """
    configuration = load(repository / "ops.toml", {"load": LoadTable})
    table = configuration.table("load", LoadTable)
    profile = choose_profile(options, table)
    if profile.scenario != "mix" or "update" in profile.mix:
        raise UsageError(f"profile {options.profile} cannot be stepped: a capacity is that of a mix without updates")
    if ignored := [name for name in ("hit_rate", "memory_growth") if getattr(profile, name) is not None]:
        raise UsageError(
            f"profile {options.profile} has {' and '.join(ignored)}, which a step is too short to judge: "
            f"take it out, or give a profile without"
        )
    refuse_production(options, configuration)
    plan = table.capacity
    if plan.first_per_second * plan.step_seconds < profile.minimum_answers:
        raise UsageError(
            f"the lightest step has fewer calls than the {profile.minimum_answers} answers that profile "
            f"{options.profile} needs: raise first_per_second or step_seconds of ops.toml's [load.capacity]"
        )
    stepped = profile.model_copy(update={"seconds": plan.step_seconds})

    def body(run: Run) -> None:
        run.progress.now(f"opening target {options.target}")
        logs = run.directory / "logs"
        with open_for(options.target, profile, configuration, logs=logs, environ=environ) as target:
            run.target = target.target
            admin = admin_token_for(options.target, configuration, environ)
            stage = Stage(run, target, stepped, tool or Tool(find_k6()), environ, admin)
            measure_capacity(run, stage, plan)

    return run_configured(
        "load.capacity",
        body,
        configuration,
        arguments={
            **spell_load("load.capacity", options, allow_inconclusive),
            "profile": options.profile,
            "target": options.target,
        },
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


def measure_capacity(run: Run, stage: Stage, plan: CapacityTable) -> None:
    """Search, and judge what was found."""
    steps: list[Step] = []
    with run.check("steps", "every step was sent, and is told", at_least=1) as check:
        for step in search(stage.send, plan):
            steps.append(step)
            check.examined += 1
            check.evidence.append(_tell(step))
    write_series(run.artifact_path("series.json"), tuple(stage.windows))
    add_series(run, stage.windows)
    judge_capacity(run, conclude(steps, plan), plan)


def judge_capacity(run: Run, found: Capacity, plan: CapacityTable) -> None:
    """Add the capacity, the knee and what gave out first; what the search did not come to is inconclusive."""
    held, not_held = found.highest_held, found.lowest_not_held
    with run.check("found", f"the capacity is known within {plan.within_percent:g} %") as check:
        if held is None and not_held is not None and not_held.outcome is Outcome.BROKE:
            check.fail(f"the lightest step, {not_held.per_second} calls/s, does not hold: {not_held.reason}")
        elif held is None:
            raise PerfError(f"no step could be told{f': {not_held.reason}' if not_held else ''}")
        elif not_held is None:
            raise PerfError(f"at least {held.per_second} calls/s, where the search ended: raise most_per_second")
        elif not_held.outcome is Outcome.UNKNOWN:
            raise PerfError(f"at least {held.per_second} calls/s; beyond it, {not_held.reason}")
        else:
            check.examined = 2
            check.evidence.append(f"{held.per_second} calls/s hold, {not_held.per_second} do not: {not_held.reason}")
    with run.check("gave_out_first", "what gave out first is told with its evidence") as check:
        limit = None if not_held is None else not_held.bottleneck
        if limit is None or limit.name == "none":
            raise PerfError("nothing that was sampled was used up" if limit else "no step gave out")
        check.examined = len(limit.resources)
        check.evidence.append(f"{limit.name}: {limit.evidence}")
        check.evidence += [f"{each.name} {each.saturation:.0%}: {each.evidence}" for each in limit.resources]
    # What merely held is a capacity that may be higher: it can be enough, and not too little.
    broke = not_held is not None and not_held.outcome is Outcome.BROKE
    least = plan.least_per_second or None
    if held is not None and least is not None and held.per_second < least and not broke:
        with run.check("enough", f"the capacity is at least {least:g} calls/s") as check:
            check.examined = 1
            raise PerfError(f"at least {held.per_second} calls/s, and how many more is not known")
        least = None
    run.measure(
        "capacity",
        math.nan if held is None else held.per_second,
        "1/s",
        limit=least,
        direction=Direction.HIGHER,
    )
    if held is not None and found.knee is not None:
        run.measure("knee", found.knee.per_second, "1/s")
        run.measure("duration_at_capacity", held.p95_milliseconds, "ms", statistic="p95")


def _tell(step: Step) -> str:
    limit = "" if step.bottleneck is None else f"; used up: {step.bottleneck.name} ({step.bottleneck.evidence})"
    reason = f": {step.reason}" if step.reason else ""
    return f"{step.per_second} calls/s {step.outcome}, p95 {step.p95_milliseconds:.1f} ms{reason}{limit}"

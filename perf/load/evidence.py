"""What the samples alone tell: whether there were any, what limited the load, and whether the server kept anything."""

import math
import statistics
from collections.abc import Callable, Sequence

from harness.collector import Run
from harness.record import Direction, Series
from perf.errors import PerfError
from perf.load.bottleneck import GENERATOR, LEAST_WINDOWS, Bottleneck
from perf.load.model import Profile
from perf.load.windows import Reading, Window, missing_metrics

KEPT_DESCRIPTORS = 40
"""What a server opens once and keeps: the connections of its pool (three files each), and those to OrderDesk."""
WARM_UP_SHARE = 0.2
LEAST_WARM_WINDOWS = 20
"""Fewer say nothing of how memory grows."""
MOST_POINTS = 200
SHOWN: tuple[tuple[str, str, Callable[[Window], float]], ...] = (
    ("requests", "1/s", lambda each: each.requests),
    ("failed requests", "1/s", lambda each: each.failed),
    ("dropped arrivals", "1/s", lambda each: each.dropped),
    ("users", "", lambda each: each.users),
    ("p95", "ms", lambda each: each.p95_milliseconds),
    ("server CPU", "cores", lambda each: each.server_cpu),
    ("CPU of the whole machine", "cores", lambda each: each.machine_cpu),
    ("k6 CPU", "cores", lambda each: each.generator_cpu),
    ("server memory", "B", lambda each: each.resident_bytes),
    ("server descriptors", "", lambda each: each.descriptors),
    ("connections of clients", "", lambda each: each.connections),
    ("/health/live", "ms", lambda each: each.probe_milliseconds),
    ("event-loop lag, p95", "ms", lambda each: each.loop_lag_milliseconds),
    ("tool calls", "1/s", lambda each: each.calls),
    ("tool errors", "1/s", lambda each: each.call_errors),
    ("cache hits", "1/s", lambda each: each.cache_hits),
    ("cache misses", "1/s", lambda each: each.cache_misses),
    ("refused by limits", "1/s", lambda each: each.refusals),
    ("pool in use", "", lambda each: each.pool_in_use),
    ("pool waiting", "", lambda each: each.pool_waiting),
    ("calls to OrderDesk", "1/s", lambda each: each.upstream_calls),
    ("refused by OrderDesk", "1/s", lambda each: each.upstream_refusals),
)
"""The report's panels, in their order; one that was zero throughout says nothing and is left out."""


def add_series(run: Run, windows: Sequence[Window]) -> None:
    """Give the record what the report draws over time: at most MOST_POINTS means a series."""
    for name, unit, of in SHOWN:
        points = [(each.at, of(each)) for each in windows if math.isfinite(of(each))]
        if any(value for _, value in points):
            run.series.append(Series(name=name, unit=unit, points=tuple(thin(points))))


def thin(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """The means of equally many neighbours each, so that at most `most` points are left."""
    width = math.ceil(len(points) / most) or 1
    groups = [points[start : start + width] for start in range(0, len(points), width)]
    return [(round(_mean([at for at, _ in each]), 3), round(_mean([y for _, y in each]), 3)) for each in groups]


def judge_samples(run: Run, readings: Sequence[Reading], *, wanted: bool) -> None:
    """The server's own metrics were read while the load ran, and are those that the diagnosis stands on."""
    with run.check("samples", "the server's metrics are read while the load runs") as check:
        if not wanted:
            check.not_applicable("no admin token is known for this target, so its /metrics are closed to this run")
            return
        loaded = [each for each in readings if each.under_load]
        check.examined = sum(each.server is not None for each in loaded)
        if missing := missing_metrics(readings):
            raise PerfError(f"/metrics does not have {', '.join(missing)}")
        if 2 * check.examined < len(loaded):
            raise PerfError(f"/metrics could be read {check.examined} of {len(loaded)} times")


def judge_bottleneck(run: Run, bottleneck: Bottleneck | None, profile: Profile) -> None:
    """What limited the load is told with its evidence; that k6 did leaves open what the server can do."""
    with run.check("bottleneck", "what was closest to its limit is told, and it was not k6") as check:
        if bottleneck is None and profile.seconds < 2 * LEAST_WINDOWS:
            check.not_applicable(f"the load is too short: it is told of {2 * LEAST_WINDOWS} s or more")
            return
        if bottleneck is None or not any(each.name == GENERATOR for each in bottleneck.resources):
            raise PerfError("what k6 did and used could not be read while it ran: it may have been the limit")
        check.examined = len(bottleneck.resources)
        check.evidence.append(f"used up: {bottleneck.name}")
        check.evidence += [f"{each.name} {each.saturation:.0%}: {each.evidence}" for each in bottleneck.resources]
        if bottleneck.is_generator:
            raise PerfError(f"k6 was the limit: {bottleneck.evidence}")


def judge_memory(run: Run, windows: Sequence[Window], profile: Profile) -> None:
    """How much larger the server's memory was at the end than once it was warm: the medians of a tenth of that time."""
    known = [each.resident_bytes for each in windows if math.isfinite(each.resident_bytes)]
    warm = known[int(len(known) * WARM_UP_SHARE) :]
    limit, grown = profile.memory_growth, math.nan
    if len(warm) >= LEAST_WARM_WINDOWS:
        tenth = len(warm) // 10
        grown = statistics.median(warm[-tenth:]) / statistics.median(warm[:tenth])
    elif limit is None:
        return
    run.measure("memory_growth", grown, "ratio", samples=len(warm), limit=limit, direction=Direction.LOWER)


def judge_leaks(run: Run, readings: Sequence[Reading]) -> None:
    """After the load the server holds no connection of its clients' any more, and few descriptors more than before."""
    with run.check(
        "leaks", f"at most {KEPT_DESCRIPTORS} descriptors, and no connection of a client's, are left open"
    ) as check:
        before, after = readings[0].server_process, readings[-1].server_process
        if before is None or after is None:
            raise PerfError("the server's process could not be read before and after the load")
        grown = after.descriptors - before.descriptors
        check.evidence.append(f"descriptors: {before.descriptors} before, {after.descriptors} after")
        check.evidence.append(f"connections of clients: {before.connections} before, {after.connections} after")
        check.expect(grown <= KEPT_DESCRIPTORS, f"{grown} descriptors more are open")
        kept = after.connections - before.connections
        check.expect(kept <= 0, f"{kept} connections of clients that are gone are open still")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""What was closest to saturation while the load ran, told from the samples with its evidence."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.sandbox.bucket import BucketSettings
from perf.load.windows import Window

SERVER_CORES = 0.9
"""One worker has one interpreter: at this much of a core it has no more to give."""
GENERATOR_SHARE = 0.9
"""Of the cores that the server leaves."""
LATE_MILLISECONDS = 50.0
"""A timer of the server, or a request that needs nothing but a turn of the event loop, waits this long: it is late."""
BUCKET = BucketSettings()
"""What OrderDesk grants an account."""
UPSTREAM_SHARE = 0.9
REFUSED_SHARE = 0.05
"""Of the calls to OrderDesk."""
MACHINE_SHARE, OTHERS_SHARE = 0.95, 0.15
"""Of all cores: in use at all, and by others than server and generator."""
OTHERS = "other processes"
GENERATOR = "generator"
DROPPED_RATE = 0.005
LEAST_WINDOWS = 3


@dataclass(frozen=True)
class Resource:
    """One resource: `saturation` is 1 where it was used up, in the median second of the busier half of the run."""

    name: str
    saturation: float
    evidence: str


@dataclass(frozen=True)
class Bottleneck:
    """All resources that could be told. `name` is that of the first that was used up, "none" where none was."""

    name: str
    resources: tuple[Resource, ...]

    @property
    def evidence(self) -> str:
        """Of the resource that was used up; of the one closest to it where none was."""
        named = [each for each in self.resources if each.name == self.name and each.saturation >= 1]
        return (named or sorted(self.resources, key=lambda each: -each.saturation))[0].evidence

    @property
    def is_others(self) -> bool:
        """Whether other processes of this machine took what server and generator needed: a slow answer says little."""
        return self.name == OTHERS

    @property
    def is_generator(self) -> bool:
        """Whether k6 was the limit: what it timed then says more of itself than of the server."""
        return self.name == GENERATOR


def find_bottleneck(windows: Sequence[Window], *, cores: int, accounts: int = 1) -> Bottleneck | None:
    """What limited the run; None with fewer than LEAST_WINDOWS windows, or where no resource could be told.

    `cores` is of the machine that generator and server share, `accounts` how many OrderDesk accounts were asked.
    """
    # Before and after there are users, scripts ask their own questions. Who arrived may be gone when users are counted.
    windows = [each for each in windows if each.users > 0 or each.iterations > 0]
    if len(windows) < LEAST_WINDOWS:
        return None
    found = [each for each in _resources(windows, cores, accounts) if math.isfinite(each.saturation)]
    if not found:
        return None
    # In the order of causes: where a CPU is used up, others wait for it, and so on down to the loop that all wait for.
    name = next((each.name for each in found if each.saturation >= 1), "none")
    return Bottleneck(name, tuple(found))


def _resources(windows: Sequence[Window], cores: int, accounts: int) -> list[Resource]:
    server = _busy(windows, lambda each: each.server_cpu)
    generator = _busy(windows, lambda each: each.generator_cpu)
    left = max(1.0, cores - (0.0 if math.isnan(server) else server))
    waiting = _busy(windows, lambda each: each.pool_waiting)
    in_use = _busy(windows, lambda each: each.pool_in_use)
    seconds = windows[-1].at - windows[0].at + 1
    upstream = _mean(windows, lambda each: each.upstream_calls) * seconds
    refused = _mean(windows, lambda each: each.upstream_refusals) * seconds
    granted = accounts * (BUCKET.capacity + BUCKET.refill_per_second * seconds)
    probe = _busy(windows, lambda each: each.probe_milliseconds)
    lag = _busy(windows, lambda each: each.loop_lag_milliseconds)
    resources = [
        Resource(
            GENERATOR,
            generator / (GENERATOR_SHARE * left),
            f"k6 took {generator:.2f} of the {left:.2f} cores left to it",
        ),
        Resource("server CPU", server / SERVER_CORES, f"the server took {server:.2f} of its one core"),
        Resource(
            "upstream bucket",
            max(upstream / (UPSTREAM_SHARE * granted), float(refused > REFUSED_SHARE * upstream)),
            f"{upstream:.0f} calls to OrderDesk of the {granted:.0f} that it grants, {refused:.0f} refused",
        ),
        Resource(
            "database pool",
            0.0 if waiting == 0 else waiting + 1,
            f"{waiting:.0f} waited for a connection, {in_use:.0f} were in use",
        ),
        Resource(
            "event loop",
            max((each / LATE_MILLISECONDS for each in (lag, probe) if math.isfinite(each)), default=math.nan),
            f"/health/live, which needs nothing, took {probe:.1f} ms"
            + ("" if math.isnan(lag) else f", 19 in 20 of the server's timers were at most {lag:g} ms late"),
        ),
    ]
    return [_others(windows, cores), *_dropped(windows, resources), *resources]


def _others(windows: Sequence[Window], cores: int) -> Resource:
    """What others took, where all cores were in use: used up is then what server and k6 got of them."""
    machine = _busy(windows, lambda each: each.machine_cpu)
    own = _busy(windows, lambda each: each.generator_cpu + (0.0 if math.isnan(each.server_cpu) else each.server_cpu))
    others = max(0.0, machine - own)
    saturation = machine / (MACHINE_SHARE * cores)
    if others < OTHERS_SHARE * cores:
        saturation = min(saturation, others / (OTHERS_SHARE * cores))
    return Resource(OTHERS, saturation, f"{others:.2f} of {cores} cores went to others, {own:.2f} to server and k6")


def _dropped(windows: Sequence[Window], resources: Sequence[Resource]) -> list[Resource]:
    """Arrivals that found every user busy: the generator had too few, unless what they waited for was the server."""
    dropped = sum(each.dropped for each in windows)
    share = dropped / max(1.0, dropped + sum(each.requests for each in windows))
    servers = [each for each in resources if each.name not in {GENERATOR, OTHERS} and each.saturation >= 1]
    if share <= DROPPED_RATE or servers:
        return []
    return [Resource(GENERATOR, 1.0, f"{share:.1%} of the arrivals found every user busy, and the server had room")]


def _mean(windows: Sequence[Window], of: Callable[[Window], float]) -> float:
    values = [value for value in map(of, windows) if math.isfinite(value)]
    return statistics.fmean(values) if values else math.nan


def _busy(windows: Sequence[Window], of: Callable[[Window], float]) -> float:
    """The median of the upper half of what could be told: a ramp's beginning is no rest, and one second no rule."""
    values = sorted(value for value in map(of, windows) if math.isfinite(value))
    return statistics.median(values[len(values) // 2 :]) if values else math.nan

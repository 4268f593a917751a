"""From readings of counters to what happened in each second between them; nothing is read here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from perf.exposition import Exposition

EDGES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 2000, 5000, 10000, 60000)
"""Upper edges, in milliseconds, of the histogram that the scripts keep; perf/k6/measures.js has the same."""
LOOP_LAG = "event_loop_lag_seconds_bucket"
LATEST_MILLISECONDS = 10_000.0
"""What a lag beyond the last edge of its histogram counts as."""
NEEDED = (
    "http_requests_total",
    "mcp_tool_calls_total",
    "cache_operations_total",
    "db_pool_size",
    "db_pool_available",
    "db_pool_waiting",
    LOOP_LAG,
)
"""What the server must expose, from the first answer on, for its samples to count."""
OPENED = "db_connections_total"
ASKED_FOR = frozenset({*NEEDED, OPENED, "rate_limit_hits_total", "orderdesk_api_calls_total"})
"""What windows and scenarios are told from."""


@dataclass(frozen=True)
class ProcessReading:
    """What a process has used and holds: CPU seconds so far, bytes, descriptors, connections that it accepted."""

    cpu_seconds: float
    resident_bytes: int = 0
    descriptors: int = 0
    connections: int = 0


@dataclass(frozen=True)
class Reading:
    """All that was read at one moment: `at` is seconds on the run's one clock. None is what could not be read."""

    at: float
    generator: Mapping[str, float] = field(default_factory=dict)
    """k6's metrics: counters as they stand; `failed_rate` the part of requests so far that failed."""
    generator_known: bool = True
    """Whether k6 told them now, or a moment before."""
    generator_process: ProcessReading | None = None
    server: Exposition | None = None
    server_process: ProcessReading | None = None
    machine_cpu_seconds: float | None = None
    """What all processes of this machine have used, and what its own host has taken from it."""
    probe_milliseconds: float | None = None
    """How long /health/live took, which needs nothing but a turn of the event loop."""

    @property
    def under_load(self) -> bool:
        """Whether users have begun: the script's own first questions are its warm-up, and no load."""
        return self.generator.get("iterations", 0.0) + self.generator.get("vus", 0.0) > 0


@dataclass(frozen=True)
class Window:
    """What happened between two readings, per second where nothing else is said; NaN is what could not be told."""

    at: float
    requests: float
    failed: float
    dropped: float
    users: float
    p95_milliseconds: float
    generator_cpu: float
    """In cores."""
    iterations: float = 0.0
    """What users have come to the end of; a script's own questions before and after are none."""
    machine_cpu: float = math.nan
    server_cpu: float = math.nan
    resident_bytes: float = math.nan
    descriptors: float = math.nan
    connections: float = math.nan
    probe_milliseconds: float = math.nan
    loop_lag_milliseconds: float = math.nan
    """An upper edge of how late 19 in 20 of the server's timers got their turn."""
    calls: float = math.nan
    call_errors: float = math.nan
    cache_hits: float = math.nan
    cache_misses: float = math.nan
    refusals: float = math.nan
    pool_in_use: float = math.nan
    pool_waiting: float = math.nan
    upstream_calls: float = math.nan
    upstream_refusals: float = math.nan


def make_windows(readings: Sequence[Reading]) -> tuple[Window, ...]:
    """A window between each two readings that follow each other."""
    return tuple(_window(before, after) for before, after in pairwise(readings))


def missing_metrics(readings: Sequence[Reading]) -> tuple[str, ...]:
    """The metrics needed that the last reading of the server does not have: all of them where it was never read."""
    last = next((reading.server for reading in reversed(readings) if reading.server), None)
    return NEEDED if last is None else tuple(name for name in NEEDED if not last.has(name))


def percentile(counts: Mapping[float, float], share: float) -> float:
    """The edge at or below which `share` of the counted durations lie; NaN without any."""
    wanted, seen = share * sum(counts.values()), 0.0
    for edge in sorted(counts):
        seen += counts[edge]
        if counts[edge] > 0 and seen >= wanted:
            return float(edge)
    return math.nan


def _window(before: Reading, after: Reading) -> Window:
    seconds = after.at - before.at

    def rate(name: str) -> float:
        return (after.generator.get(name, 0.0) - before.generator.get(name, 0.0)) / seconds

    durations: dict[float, float] = {
        edge: sum(
            value - before.generator.get(name, 0.0)
            for name, value in after.generator.items()
            if name.startswith(f"bucket_{edge}_")
        )
        for edge in EDGES
    }
    generated = Window(
        at=after.at,
        requests=rate("http_reqs"),
        failed=rate("failed"),
        dropped=rate("dropped_iterations"),
        users=after.generator.get("vus", 0.0),
        iterations=rate("iterations"),
        p95_milliseconds=percentile(durations, 0.95),
        generator_cpu=_cores(before.generator_process, after.generator_process, seconds),
        machine_cpu=(
            math.nan
            if before.machine_cpu_seconds is None or after.machine_cpu_seconds is None
            else (after.machine_cpu_seconds - before.machine_cpu_seconds) / seconds
        ),
    )
    return Window(**{**vars(generated), **_of_server(before, after, seconds), **_of_process(before, after, seconds)})


def _of_process(before: Reading, after: Reading, seconds: float) -> dict[str, float]:
    found: dict[str, float] = {"server_cpu": _cores(before.server_process, after.server_process, seconds)}
    if after.server_process is not None:
        held = vars(after.server_process)
        found |= {name: float(held[name]) for name in ("resident_bytes", "descriptors", "connections")}
    if after.probe_milliseconds is not None:
        found["probe_milliseconds"] = after.probe_milliseconds
    return found


def _of_server(before: Reading, after: Reading, seconds: float) -> dict[str, float]:
    if before.server is None or after.server is None:
        return {}
    old, new = before.server, after.server

    def rate(name: str, **labels: str) -> float:
        return (new.total(name, **labels) - old.total(name, **labels)) / seconds

    return {
        "calls": rate("mcp_tool_calls_total"),
        "call_errors": rate("mcp_tool_calls_total", status="error"),
        "cache_hits": rate("cache_operations_total", operation="hit"),
        "cache_misses": rate("cache_operations_total", operation="miss"),
        "refusals": rate("rate_limit_hits_total"),
        "pool_in_use": new.total("db_pool_size") - new.total("db_pool_available"),
        "pool_waiting": new.total("db_pool_waiting"),
        "loop_lag_milliseconds": _loop_lag(old, new),
        "upstream_calls": rate("orderdesk_api_calls_total"),
        "upstream_refusals": rate("orderdesk_api_calls_total", status="429"),
    }


def _loop_lag(old: Exposition, new: Exposition) -> float:
    before, after = (each.by_label(LOOP_LAG, "le") for each in (old, new))
    # Prometheus' buckets hold all that is within their edge, those of the lesser ones too.
    edges = sorted(after, key=float)
    within = [after[edge] - before.get(edge, 0.0) for edge in edges]
    counts = {
        min(float(edge) * 1000, LATEST_MILLISECONDS): seen - less
        for edge, seen, less in zip(edges, within, [0.0, *within], strict=False)
    }
    return percentile(counts, 0.95)


def _cores(before: ProcessReading | None, after: ProcessReading | None, seconds: float) -> float:
    if before is None or after is None:
        return math.nan
    return (after.cpu_seconds - before.cpu_seconds) / seconds

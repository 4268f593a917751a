"""What a number of calls cost a server: its processor time, and what it counted of OrderDesk and of its database."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from perf.peers.counts import Samples

UPSTREAM = "orderdesk_api_duration_seconds"
DATABASE = "db_query_duration_seconds"


@dataclass(frozen=True)
class Costs:
    """Of all the calls together, in seconds; `statements` are database statements by kind."""

    processor: float = 0.0
    upstream_calls: float = 0.0
    upstream: float = 0.0
    database: float = 0.0
    statements: Mapping[str, float] | None = None

    def __add__(self, other: "Costs") -> "Costs":
        kinds = {*(self.statements or {}), *(other.statements or {})}
        return Costs(
            self.processor + other.processor,
            self.upstream_calls + other.upstream_calls,
            self.upstream + other.upstream,
            self.database + other.database,
            {kind: (self.statements or {}).get(kind, 0) + (other.statements or {}).get(kind, 0) for kind in kinds},
        )


def between(before: Samples, after: Samples, processor: float) -> Costs:
    """What a server counted between two readings of its metrics; `processor` are the seconds it worked meanwhile."""
    grown = {key: value - before.get(key, 0.0) for key, value in after.items()}
    kinds = {
        dict(labels).get("operation", ""): value
        for (name, labels), value in grown.items()
        if name == f"{DATABASE}_count" and value
    }
    return Costs(
        processor,
        sum(_values(grown, f"{UPSTREAM}_count")),
        sum(_values(grown, f"{UPSTREAM}_sum")),
        sum(_values(grown, f"{DATABASE}_sum")),
        kinds,
    )


def processor_seconds(pid: int) -> float:
    """The processor time of a process and all its threads, to the nanosecond, where psutil knows hundredths.

    Linux and the BSDs have a clock for each process (clock_getcpuclockid); on Linux its number is this one. Raises
    OSError where the process is gone.
    """
    return time.clock_gettime((~pid << 3) | 2)


def _values(samples: Samples, name: str) -> Iterator[float]:
    return (value for (each, _), value in samples.items() if each == name)

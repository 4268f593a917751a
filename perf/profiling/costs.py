"""What a number of calls cost a server: its processor time, and what it counted of OrderDesk and of its database."""

from collections.abc import Mapping
from dataclasses import dataclass

from perf.exposition import Exposition

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


def between(before: Exposition, after: Exposition, processor: float) -> Costs:
    """What a server counted between two readings of its metrics; `processor` are the seconds it worked meanwhile."""

    def grown(name: str) -> float:
        return after.total(name) - before.total(name)

    earlier = before.by_label(f"{DATABASE}_count", "operation")
    counts = after.by_label(f"{DATABASE}_count", "operation")
    return Costs(
        processor,
        grown(f"{UPSTREAM}_count"),
        grown(f"{UPSTREAM}_sum"),
        grown(f"{DATABASE}_sum"),
        {kind: more for kind, count in counts.items() if (more := count - earlier.get(kind, 0.0))},
    )

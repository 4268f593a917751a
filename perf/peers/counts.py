"""What the server counted, read from outside: its metrics over HTTP, its audit log from the database file.

The limiter shows how many tokens are left, not how many it spent, and it refills all the time. So two readings are
taken; between them `spent = left before - left after + refill x time`. The server reckons while it answers the request
for its metrics (both processes read the same monotonic clock), so the sum is known to within `refill x` both requests'
durations: a few tokens beside thousands of calls. It holds while the bucket is never full, so a load before the first
reading has to take out more than comes in until the second.
"""

import contextlib
import sqlite3
import time
from dataclasses import dataclass

from harness.errors import Inconclusive
from harness.targets import LocalTarget
from perf.errors import PerfError
from perf.exposition import Exposition, scrape
from perf.peers.arms import REFILL_PER_SECOND, RESERVE, Arm

TRIES = 20
TOKENS = "rate_limit_tokens_available"
NARROW_SECONDS = 3 / REFILL_PER_SECOND
"""A reading that took no longer is good enough: three tokens come in meanwhile."""


@dataclass(frozen=True)
class Reading:
    """Counts at one moment: successful calls of the tool, and the tenant's tokens at some time in the interval."""

    calls: float
    tokens: float
    earliest: float
    latest: float

    @property
    def seconds(self) -> float:
        """How long the reading took."""
        return self.latest - self.earliest


def read_counts(target: LocalTarget, arm: Arm) -> Reading:
    """Take the narrowest of up to TRIES readings. Raises PerfError when a metric is missing."""
    narrowest = None
    for _ in range(TRIES):
        earliest = time.monotonic()
        samples = scrape(target)
        reading = _reading(samples, arm, earliest, time.monotonic())
        if narrowest is None or reading.seconds < narrowest.seconds:
            narrowest = reading
        if narrowest.seconds <= NARROW_SECONDS:
            break
    assert narrowest is not None
    return narrowest


def _reading(samples: Exposition, arm: Arm, earliest: float, latest: float) -> Reading:
    tool, tenant = str(arm.calls[0].params["name"]), str(arm.tenant_id)
    for name, label, value in (("mcp_tool_calls_total", "tool_name", tool), (TOKENS, "tenant_id", tenant)):
        if value not in samples.by_label(name, label):
            raise PerfError(f"the metrics lack {name} of {label} {value}")
    calls = samples.total("mcp_tool_calls_total", tool_name=tool, status="success")
    return Reading(calls, samples.total(TOKENS, tenant_id=tenant), earliest, latest)


def tokens_spent(before: Reading, after: Reading) -> tuple[float, float]:
    """Return the least and the most that the limiter can have spent between two readings.

    Raises Inconclusive when the bucket may have been full meanwhile.
    """
    came_in = REFILL_PER_SECOND * (after.latest - before.earliest)
    if before.tokens + came_in > RESERVE:
        raise Inconclusive("the load was too slow to count tokens: the limiter's bucket may have been full")
    net = before.tokens - after.tokens
    least = net + REFILL_PER_SECOND * (after.earliest - before.latest)
    most = net + came_in
    return least, most


def audit_rows(target: LocalTarget, tool: str) -> dict[str, int]:
    """Return the successful calls of `tool` in the audit log by tenant, once the server has stopped and written all."""
    path = target.environment["DATABASE_URL"].removeprefix("sqlite:///")
    query = "SELECT tenant_id, count(*) FROM audit WHERE tool = ? AND status = 'success' GROUP BY tenant_id"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return dict(database.execute(query, (tool,)).fetchall())

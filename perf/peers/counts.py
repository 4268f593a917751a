"""What the server counted, read from outside: its metrics over HTTP, its audit log from the database file.

The limiter shows how many tokens are left, not how many it spent, and it refills all the time. So two readings are
taken, each right after a call of its own that makes the limiter reckon; between them
`spent = left before - left after + refill x time`. When the limiter reckoned is known to within that call's duration
(both processes read the same monotonic clock), so the sum is known to within `refill x` both durations: less than one
token, or the reading is taken again. It holds while the bucket is never full, so a load before the first reading has to
take more out than comes in.
"""

import contextlib
import socket
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.errors import Inconclusive
from harness.targets import LocalTarget
from perf.errors import PerfError
from perf.peers.arms import REFILL_PER_SECOND, RESERVE, Arm
from perf.peers.plan import ToolCall
from perf.peers.session import open_session, rehearse
from perf.peers.wire import connect

TRIES = 200
FULL_MARGIN = 100
"""Tokens below the reserve from which on a bucket under load has not been full since the last reading."""
WIDEST_SECONDS = 0.4 / REFILL_PER_SECOND


@dataclass(frozen=True)
class Reading:
    """Counts at one moment: successful calls of the tool, and the tenant's tokens at some time in the interval."""

    calls: float
    tokens: float
    earliest: float
    latest: float
    probes: int
    """Calls that the reading itself made."""


def read_counts(target: LocalTarget, arm: Arm, version: str) -> Reading:
    """Take a reading. Raises PerfError when no call of TRIES is quick enough, or a metric is missing."""
    call = arm.calls[0]
    with contextlib.closing(connect(arm.host, arm.port)) as connection:
        headers = open_session(connection, f"{arm.host}:{arm.port}", arm.token, version)
        earliest, latest, probes = _probe(connection, headers, call)
    samples = scrape(target)
    succeeded = ("mcp_tool_calls_total", frozenset({("tool_name", call.tool), ("status", "success")}))
    left = ("rate_limit_tokens_available", frozenset({("tenant_id", str(arm.tenant_id))}))
    try:
        return Reading(samples[succeeded], samples[left], earliest, latest, probes)
    except KeyError as missing:
        raise PerfError(f"the metrics lack {missing}") from None


def _probe(connection: socket.socket, headers: Mapping[str, str], call: ToolCall) -> tuple[float, float, int]:
    """Call until one call is quick enough; when that one began and ended, and how many calls it took."""
    for probes in range(1, TRIES + 1):
        earliest = time.monotonic()
        rehearse(connection, headers, call)
        latest = time.monotonic()
        if latest - earliest <= WIDEST_SECONDS:
            return earliest, latest, probes
    raise PerfError(f"no call was answered within {WIDEST_SECONDS * 1000:.2g} ms: tokens cannot be counted")


def scrape(target: LocalTarget) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of the server's metrics by name and labels. Raises PerfError."""
    headers = {"Authorization": f"Bearer {target.admin_token}"}
    try:
        response = httpx.get(f"{target.base_url}/metrics", headers=headers, trust_env=False).raise_for_status()
        families = list(text_string_to_metric_families(response.text))
    except (httpx.HTTPError, ValueError) as error:
        raise PerfError(f"the metrics cannot be read: {error}") from error
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def tokens_spent(before: Reading, after: Reading) -> tuple[float, float]:
    """Return the least and the most that the limiter can have spent after `before`, up to and with `after`'s last call.

    Raises Inconclusive when the bucket may have been full meanwhile.
    """
    if max(before.tokens, after.tokens) > RESERVE - FULL_MARGIN:
        raise Inconclusive("the load was too slow to count tokens: the limiter's bucket may have been full")
    net = before.tokens - after.tokens
    least = net + REFILL_PER_SECOND * (after.earliest - before.latest)
    most = net + REFILL_PER_SECOND * (after.latest - before.earliest)
    return least, most


def audit_rows(target: LocalTarget, tool: str) -> dict[str, int]:
    """Return the successful calls of `tool` in the audit log by tenant, once the server has stopped and written all."""
    path = target.environment["DATABASE_URL"].removeprefix("sqlite:///")
    query = "SELECT tenant_id, count(*) FROM audit WHERE tool = ? AND status = 'success' GROUP BY tenant_id"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return dict(database.execute(query, (tool,)).fetchall())

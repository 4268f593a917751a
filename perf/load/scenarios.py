"""What the scenarios limits, cache and pool must show beyond what every load must."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.collector import Run
from harness.record import Direction
from perf.errors import PerfError
from perf.load.judge import Doubt, at_most
from perf.load.k6 import Summary
from perf.load.model import Profile
from perf.load.staleness import Answer, Change, find_lies
from perf.load.windows import OPENED, Reading, Window

POOL = ("db_pool_size", "db_pool_available", "db_pool_waiting")
HURT_FACTOR, HURT_MILLISECONDS = 2.0, 5.0
"""How much longer the quiet tenant may wait beside a noisy one: the larger of twice, and so much more."""
LIMIT_TOLERANCE = 0.05
"""Of what a bucket may give within a time: the time is k6's, and the last call may be on its way."""
EARLY = 0.75
"""A second read of an order before so much of its time in the cache is over is one too many; a busy machine may shift
either by some of it."""


def judge_limits(run: Run, summary: Summary, profile: Profile, doubt: Doubt) -> None:
    """The noisy tenant gets what it may and no more, the quiet one all, about as fast as alone; waits told are true."""
    per_minute = float(profile.server["RATE_LIMIT_RPM"])
    seconds = profile.seconds // 2
    granted, refused = summary.count("noisy_granted"), summary.count("noisy_refused")
    allowed = 2 * per_minute + per_minute / 60 * seconds
    with run.check("limit_holds", f"of the noisy tenant's calls at most {allowed:.0f} are granted") as check:
        check.examined = granted + refused
        check.evidence.append(f"{granted} granted, {refused} refused ({refused / max(1, granted + refused):.1%})")
        if not refused:
            raise PerfError(f"the noisy tenant offered {granted} calls, which is within its limit: nothing was refused")
        check.expect(granted <= allowed * (1 + LIMIT_TOLERANCE), f"{granted} were granted")
        check.expect(granted >= allowed * (1 - LIMIT_TOLERANCE), f"only {granted} were granted")
    offered = granted + refused
    run.measure(
        "noisy_refused",
        refused / offered if offered else math.nan,
        "ratio",
        samples=offered,
        limit=profile.refused_rate,
        direction=Direction.HIGHER,
    )
    with run.check("quiet_is_served", "the quiet tenant is never refused", at_least=100) as check:
        check.examined = summary.count("quiet_alone") + summary.count("quiet_together")
        if summary.count("quiet_refused"):
            check.fail(f"{summary.count('quiet_refused')} of its calls were refused")
    with run.check("wait_is_true", "after the time that a refusal tells, a call is granted") as check:
        broken = summary.count("wait_broken")
        check.examined = broken + summary.count("wait_kept")
        if broken:
            check.fail(f"{broken} of {check.examined} times it was not")
    _judge_quiet(run, summary, doubt)


def _judge_quiet(run: Run, summary: Summary, doubt: Doubt) -> None:
    alone, together = (summary.value(f"quiet_{name}", "p(95)") for name in ("alone", "together"))
    samples = [summary.count(f"quiet_{name}") for name in ("alone", "together")]
    at_most(run, "quiet", alone, "ms", statistic="p95", samples=samples[0], limit=None, beside="nobody")
    if alone is None:
        run.measure("quiet", math.nan, "ms", statistic="p95", labels={"beside": "noise"})
        return
    limit = max(HURT_FACTOR * alone, alone + HURT_MILLISECONDS)
    # Its limit stands on the samples of both.
    at_most(
        run, "quiet", together, "ms", statistic="p95", samples=min(samples), limit=limit, doubt=doubt, beside="noise"
    )


def judge_cache(run: Run, profile: Profile, journal: Sequence[Mapping[str, Any]], answers: Sequence[Answer]) -> None:
    """Nothing older than its time is answered, and an expiry costs one read upstream."""
    ttl = float(profile.server["CACHE_TTL_ORDERS_SECONDS"])
    changes = changes_of(journal)
    with run.check("content_is_true", f"no answer is older than {ttl:g} s, by the journal") as check:
        check.examined = len(answers)
        check.evidence.append(f"{len(changes)} changes by another integration")
        if answers and not changes:
            raise PerfError("the journal has no change: an answer of any age would have been right")
        for lie in find_lies(answers, changes, ttl)[:20]:
            check.fail(lie)
    with run.check("stampede", "an expiry costs one read upstream, however many ask") as check:
        reads, early = count_reads(journal, ttl)
        check.examined = reads
        check.evidence.append(f"{reads} reads upstream of {len({each.order for each in answers})} orders")
        if early:
            check.fail(f"{early} of {reads} reads came before the one before them had expired")


def changes_of(journal: Sequence[Mapping[str, Any]]) -> list[Change]:
    """What another integration changed, in order."""
    return [
        Change(change["id"], entry["wall"], _value(change["fields"]["order_metadata"]["after"]))
        for entry in journal
        if entry["kind"] == "foreign"
        for change in entry["changes"]
        if "order_metadata" in change["fields"]
    ]


def _value(metadata: Any) -> str:
    return str(metadata["warehouse_sync"])


def count_reads(journal: Sequence[Mapping[str, Any]], ttl: float) -> tuple[int, int]:
    """How often single orders were read with success, and how many of these reads came too early."""
    last: dict[str, float] = {}
    reads = early = 0
    for entry in journal:
        order = entry["order_id"]
        if entry["kind"] != "request" or entry["method"] != "GET" or order is None or entry["status"] != 200:
            continue
        reads += 1
        early += entry["monotonic"] - last.get(order, -math.inf) < EARLY * ttl
        last[order] = entry["monotonic"]
    return reads, early


def judge_hit_rate(run: Run, readings: Sequence[Reading], limit: float | None) -> None:
    """The part of reads that cost no read upstream, by the server's own count."""
    known = [reading.server for reading in readings if reading.server]
    if not known:
        run.measure("cache_hits", math.nan, "ratio")
        return
    counted = {
        name: known[-1].total("cache_operations_total", operation=name, resource_type="orders")
        - known[0].total("cache_operations_total", operation=name, resource_type="orders")
        for name in ("hit", "join", "miss")
    }
    total = sum(counted.values())
    run.measure(
        "cache_hits",
        (counted["hit"] + counted["join"]) / total if total else math.nan,
        "ratio",
        samples=round(total),
        limit=limit,
        direction=Direction.HIGHER,
    )


def judge_pool(run: Run, windows: Sequence[Window], readings: Sequence[Reading]) -> None:
    """More clients than connections: some wait, the pool is never larger than it says, and all is given back."""
    waiting = [each.pool_waiting for each in windows if math.isfinite(each.pool_waiting)]
    with run.check("waiting_is_visible", "the server says that requests wait for a connection", at_least=3) as check:
        check.examined = len(waiting)
        check.evidence.append(f"up to {max(waiting, default=0):.0f} waited")
        if waiting and not any(waiting):
            raise PerfError("nobody waited for a connection: this load does not exhaust the pool")
    with run.check("pool_is_given_back", "after the load every connection is in the pool again") as check:
        last = next((reading.server for reading in reversed(readings) if reading.server), None)
        if last is None:
            raise PerfError("the server's metrics could not be read after the load")
        if missing := [name for name in (*POOL, OPENED) if not last.has(name)]:
            raise PerfError(f"/metrics does not have {', '.join(missing)}")
        held = last.total("db_pool_size") - last.total("db_pool_available")
        check.expect(held == 0 and last.total("db_pool_waiting") == 0, f"{held:.0f} are in use by nobody")
        opened = [last.total(OPENED, operation=name) for name in ("open", "close")]
        check.expect(
            opened[0] - opened[1] <= last.total("db_pool_size"),
            f"{opened[0]:.0f} connections were opened and {opened[1]:.0f} closed",
        )

"""A cache asked for far more than it may hold: what it says it holds, and what the server's memory grows by."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from harness.client import Client
from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.progress import Progress
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, start_local
from perf.caching.model import MemoryTable
from perf.caching.settings import living
from perf.errors import PerfError
from perf.exposition import Exposition, scrape

ORDERS: Final = 1_000
KEPT_SECONDS: Final = 3_600
AT_ONCE: Final = 4
BATCH: Final = 100
PAGE: Final = 10
SIZE: Final = "cache_size_bytes"
FULL: Final = 0.9
"""Of its bound: a cache that never holds as much was not tried."""
SETTLED: Final = 2
"""When so many times the bound was asked for, the cache is full, and memory grew by what the calls themselves take."""
MEGABYTE: Final = 1e6


@dataclass(frozen=True)
class Filled:
    """What a server was asked for and what it held: bytes, all but `entries` and `evicted`.

    `grown` is what resident memory grew by in all, `grown_full` what by after the cache was full.
    """

    answered: int
    most_held: float
    entries: float
    evicted: float
    grown: float
    grown_full: float


def measure_memory(run: Run, table: MemoryTable, environ: Mapping[str, str], python: Path | None = None) -> None:
    """Ask a server for many different things, and judge what its cache and its memory came to."""
    bound = table.max_bytes
    settings = {**living(KEPT_SECONDS), "CACHE_MAX_BYTES": str(bound)}
    logs = run.directory / "logs" / "memory"
    title = f"A cache of {bound / MEGABYTE:g} MB stays so when {table.times:g} times as much is asked for"
    with (
        run.check("memory", title) as check,
        start_local(logs=logs, environ=environ, settings=settings, orders=ORDERS, python=python) as target,
    ):
        filled = fill(target, table, run.progress)
        run.measure("cache_bytes", filled.most_held, "bytes", statistic="max")
        run.measure("resident_growth", filled.grown, "bytes", statistic="max", labels={"since": "start"})
        run.measure("resident_growth", filled.grown_full, "bytes", statistic="max", labels={"since": "full"})
        judge_memory(check, filled, table)


def judge_memory(check: OpenCheck, filled: Filled, table: MemoryTable) -> None:
    """Fail beyond the bounds. Raises Inconclusive where the cache was never full."""
    check.examined = filled.answered
    check.evidence.append(
        f"answers of {filled.answered / MEGABYTE:.1f} MB; at most {filled.most_held / MEGABYTE:.2f} MB held, "
        f"at last {filled.entries:.0f} entries, {filled.evicted:.0f} evicted; "
        f"resident memory grew by {filled.grown / MEGABYTE:.1f} MB, "
        f"by {filled.grown_full / MEGABYTE:.1f} MB of it when the cache was full"
    )
    if filled.most_held > table.max_bytes:
        check.fail(f"{filled.most_held:.0f} bytes were held")
    if filled.grown_full > table.max_bytes:
        check.fail("resident memory grew by more than the bound when the cache was full")
    if filled.most_held < FULL * table.max_bytes:
        raise Inconclusive("the cache was never full")


def fill(target: LocalTarget, table: MemoryTable, progress: Progress) -> Filled:
    """Ask a server for different orders and pages of them until its answers are as large as the table wants.

    Raises PerfError where a call is refused or there is nothing more to ask for.
    """
    process = psutil.Process(target.server.pid)
    wanted = table.times * table.max_bytes
    answered, most_held = 0, 0.0
    with target.connect() as client, ThreadPoolExecutor(AT_ONCE) as pool:
        with SandboxClient(target.sandbox.base_url) as control:
            control.bucket(enabled=False)
        calls = _calls(client)
        before = full = most = process.memory_info().rss
        while answered < wanted:
            progress.now(f"filling the cache: {answered / wanted:.0%}")
            batch = [call for call, _ in zip(calls, range(BATCH), strict=False)]
            if not batch:
                raise PerfError(f"the sandbox has no more than {answered} bytes to ask for")
            answered += sum(pool.map(lambda call: _size(client, *call), batch))
            metrics = scrape(target)
            most_held = max(most_held, metrics.total(SIZE))
            most = max(most, process.memory_info().rss)
            if answered < SETTLED * table.max_bytes:
                full = most
    return Filled(answered, most_held, *_counted(metrics), most - before, most - full)


def _counted(metrics: Exposition) -> tuple[float, float]:
    return metrics.total("cache_items_total"), metrics.total("cache_operations_total", operation="evict")


def _calls(client: Client) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each order, then pages of them: small entries and larger ones, none asked for twice."""
    listed = client.call_tool("orders_list", {"limit": 500})
    if listed.structured is None:
        raise PerfError(f"orders_list refused: {listed.text}")
    newest = int(listed.structured["orders"][0]["id"])
    yield from (("orders_get", {"order_id": str(newest - number)}) for number in range(ORDERS))
    yield from (
        ("orders_list", {"limit": PAGE + more, "offset": offset})
        for more in range(PAGE)
        for offset in range(ORDERS - PAGE)
    )


def _size(client: Client, tool: str, arguments: dict[str, Any]) -> int:
    outcome = client.call_tool(tool, arguments)
    if outcome.is_error:
        raise PerfError(f"{tool} refused: {outcome.text[:200]}")
    return len(outcome.text)

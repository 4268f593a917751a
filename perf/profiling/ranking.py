"""Every tool called on a server that caches nothing, one at a time; then ranked by the time that all but a few take."""

import math
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from harness.client import ClientError
from harness.collector import OpenCheck, Run, samples_needed
from harness.errors import Inconclusive
from harness.progress import Progress
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget
from perf.errors import PerfError
from perf.exposition import scrape
from perf.processor import processor_seconds
from perf.profiling.cases import CASES, Stage, open_stage, prepare
from perf.profiling.costs import Costs, between
from perf.profiling.model import ToolsTable

UNLIMITED: Final = "1000000"
SETTINGS: Final = {
    "TOOLSETS": "all",
    "RATE_LIMIT_RPM": UNLIMITED,
    "DESTRUCTIVE_CAP_PER_HOUR": UNLIMITED,
    "CACHE_TTL_ORDERS_SECONDS": "0",
    "CACHE_TTL_PRODUCTS_SECONDS": "0",
    "CACHE_TTL_STORE_SECONDS": "0",
}
BATCH: Final = 50
"""Calls are prepared and then made, so many at a time: a tenant has room for no more stores."""
WORST: Final = 5
CACHE: Final = "cache_operations_total"
HITS: Final = ("hit", "join")
MILLISECONDS: Final = 1000


@dataclass(frozen=True)
class Measured:
    """One tool: how long each call took its client, in seconds, and what all of them cost the server."""

    tool: str
    seconds: Sequence[float]
    costs: Costs

    def quantile(self, share: float) -> float:
        """The least duration that this share of the calls did not exceed."""
        return sorted(self.seconds)[math.ceil(share * len(self.seconds)) - 1]

    @property
    def p95(self) -> float:
        """The 95th percentile, in seconds."""
        return self.quantile(0.95)


def rank_tools(run: Run, target: LocalTarget, table: ToolsTable) -> None:
    """Call each tool that the server offers, and say what each takes and why the slowest do."""
    title = f"Each tool is called {table.calls} times with nothing cached"
    with run.check("tools", title) as check:
        with SandboxClient(target.sandbox.base_url) as control:
            control.bucket(enabled=False)
        measured, missing = _call_all(target, table, run.progress)
        for each in measured:
            _measure(run, each)
        judge_tools(check, measured, missing)


def judge_tools(check: OpenCheck, measured: Iterable[Measured], missing: Sequence[str]) -> None:
    """Rank what was measured. Raises Inconclusive where a tool is missing from it."""
    ranked = sorted(measured, key=lambda each: -each.p95)
    check.examined = sum(len(each.seconds) for each in ranked)
    check.evidence.extend(line(each) for each in ranked)
    check.evidence.extend(explain(each) for each in ranked[:WORST])
    if missing:
        raise Inconclusive(f"not every tool was measured: {'; '.join(missing)}")
    fewest = min((len(each.seconds) for each in ranked), default=0)
    if fewest < samples_needed("p95"):
        raise Inconclusive(f"a p95 stands on {samples_needed('p95')} calls, not on {fewest}: [profile.tools] calls")


def line(each: Measured) -> str:
    """A tool in a line: its durations, and what one call of it costs."""
    calls = len(each.seconds)
    return (
        f"{each.tool}: p50 {each.quantile(0.5) * MILLISECONDS:.1f} ms, p95 {each.p95 * MILLISECONDS:.1f} ms; "
        f"{each.costs.upstream_calls / calls:.2f} calls of OrderDesk, "
        f"{each.costs.processor / calls * MILLISECONDS:.2f} ms of the server's processor"
    )


def explain(each: Measured) -> str:
    """Where a tool's time goes, on average: what waits for OrderDesk and for the database overlaps with own work."""
    calls = len(each.seconds)
    costs = each.costs
    kinds = sorted((costs.statements or {}).items(), key=lambda item: (-item[1], item[0]))
    statements = ", ".join(f"{count / calls:.1f} {kind}" for kind, count in kinds)
    upstream = costs.upstream / calls * MILLISECONDS
    database = costs.database / calls * MILLISECONDS
    return (
        f"why {each.tool}: of {statistics.mean(each.seconds) * MILLISECONDS:.1f} ms on average, OrderDesk "
        f"{upstream:.1f} ms added up over {costs.upstream_calls / calls:.1f} calls; database {database:.1f} ms "
        f"({statements or 'nothing'}); the server's processor {costs.processor / calls * MILLISECONDS:.1f} ms"
    )


def _call_all(target: LocalTarget, table: ToolsTable, progress: Progress) -> tuple[list[Measured], list[str]]:
    measured, missing = [], []
    with target.connect() as client:
        stage = open_stage(client, target.sandbox.accounts[0], target.token or "")
        offered = sorted(tool["name"] for tool in client.list_tools())
        for number, tool in enumerate(offered, 1):
            progress.now(f"tool {number} of {len(offered)}: {tool}")
            if tool not in CASES:
                missing.append(f"{tool}: there is no case for it")
                continue
            try:
                measured.append(_call(target, stage, tool, table.calls))
            except (ClientError, PerfError) as error:
                missing.append(f"{tool}: {error}")
    return measured, missing


def _call(target: LocalTarget, stage: Stage, tool: str, calls: int) -> Measured:
    seconds: list[float] = []
    costs = Costs()
    while len(seconds) < calls:
        prepared = list(prepare(stage, tool, min(BATCH, calls - len(seconds))))
        before, worked = scrape(target), processor_seconds(target.server.pid)
        for arguments in prepared:
            began = time.perf_counter()
            outcome = stage.client.call_tool(tool, arguments)
            seconds.append(time.perf_counter() - began)
            if outcome.is_error:
                raise PerfError(f"refused: {outcome.text[:200]}")
        worked, after = processor_seconds(target.server.pid) - worked, scrape(target)
        if hits := sum(after.total(CACHE, operation=name) - before.total(CACHE, operation=name) for name in HITS):
            raise PerfError(f"{hits:.0f} answers came from the server's cache")
        costs += between(before, after, worked)
    return Measured(tool, seconds, costs)


def _measure(run: Run, each: Measured) -> None:
    calls = len(each.seconds)

    def tell(name: str, value: float, unit: str, statistic: str = "mean") -> None:
        run.measure(name, value, unit, statistic=statistic, samples=calls, labels={"tool": each.tool})

    tell("tool_duration", each.quantile(0.5) * MILLISECONDS, "ms", "p50")
    tell("tool_duration", each.p95 * MILLISECONDS, "ms", "p95")
    tell("tool_upstream_calls", each.costs.upstream_calls / calls, "calls")
    tell("tool_processor", each.costs.processor / calls * MILLISECONDS, "ms")

"""What was seen of a loaded server, judged: too little, too many errors or another program is no profile."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.record import Check
from harness.verdict import CheckStatus
from perf.exposition import read_exposition
from perf.load.k6 import ContentCheck, Summary
from perf.profiling.costs import Costs, between
from perf.profiling.model import SamplingTable
from perf.profiling.ranking import Measured, judge_tools
from perf.profiling.sampling import judge_graph, judge_stacks, judge_traffic
from perf.profiling.spy import Taken

SEEN = "run (uvicorn/server.py:1);Registry.call (server/tools/registry.py:9)"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


def stacks(run: Run, text: str, taken: Taken, minimum: int = 100) -> Check:
    with run.check("stacks", "seen", at_least=minimum) as check:
        judge_stacks(run, check, text, taken)
    return run.checks[-1]


def test_the_functions_that_cost_most_are_told_and_measured(run: Run) -> None:
    check = stacks(run, f"{SEEN} 90\n{SEEN};dumps (server/cache.py:3) 10\n", Taken(100, 0))
    assert check.status is CheckStatus.PASSED
    assert check.examined == 100
    assert any(
        "itself 90.0%, in all 100.0%: Registry.call (server/tools/registry.py:9)" in line for line in check.evidence
    )
    shares = {
        (measured.name, measured.labels["frame"]): (measured.value, measured.samples) for measured in run.measurements
    }
    assert shares["frame_itself", "dumps (server/cache.py:3)"] == (0.1, 100)
    assert shares["frame_in_all", "Registry.call (server/tools/registry.py:9)"] == (1.0, 100)


@pytest.mark.parametrize(
    ("text", "taken", "reason"),
    [
        (f"{SEEN} 99", Taken(99, 0), "examined 99, at least 100 needed"),
        ("main (burn.py:5) 500", Taken(500, 0), "no profile of the load"),
        ("", Taken(0, 0), "no profile of the load"),
        (f"{SEEN} 500", Taken(500, 100), "100 looks beside 500 failed"),
        ("nonsense", Taken(1, 0), "not a collapsed stack"),
    ],
)
def test_too_little_or_something_else_is_inconclusive(run: Run, text: str, taken: Taken, reason: str) -> None:
    check = stacks(run, text, taken)
    assert check.status is CheckStatus.INCONCLUSIVE
    assert reason in check.reason


@pytest.mark.parametrize(
    ("text", "looks", "status"),
    [
        ("<svg>Registry.call (server/tools/registry.py:9)</svg>", 100, CheckStatus.PASSED),
        ("<svg>Registry.call (server/tools/registry.py:9)</svg>", 99, CheckStatus.INCONCLUSIVE),
        ("<svg>main (burn.py:5)</svg>", 100, CheckStatus.INCONCLUSIVE),
        ("Registry.call (server/tools/registry.py:9)", 100, CheckStatus.INCONCLUSIVE),
    ],
)
def test_a_flame_graph_stands_on_enough_and_shows_the_server(
    run: Run, text: str, looks: int, status: CheckStatus
) -> None:
    with run.check("flame_graph", "drawn") as check:
        judge_graph(check, text, Taken(looks, 0), 100)
    assert run.checks[-1].status is status


@pytest.mark.parametrize(
    ("cached", "fails", "crossed", "status"),
    [
        (95, 0, 0, CheckStatus.PASSED),
        (80, 0, 0, CheckStatus.INCONCLUSIVE),
        (95, 1, 0, CheckStatus.INCONCLUSIVE),
        (95, 0, 1, CheckStatus.INCONCLUSIVE),
    ],
)
def test_another_load_than_cached_reads_is_inconclusive(
    run: Run, cached: int, fails: int, crossed: int, status: CheckStatus
) -> None:
    counts = {"answers": {"values": {"count": 100}}, "duration_cached_read": {"values": {"count": cached}}}
    with run.check("traffic", "reads") as check:
        judge_traffic(check, Summary(counts, (ContentCheck("orders_get", 100, fails),), bool(crossed)), SamplingTable())
    assert run.checks[-1].status is status


def measured(tool: str, *milliseconds: float, upstream: float = 0.0) -> Measured:
    costs = Costs(0.1, 200, upstream, 0.02, {"select": 300.0, "insert": 100.0})
    return Measured(tool, [each / 1000 for each in milliseconds], costs)


def test_tools_are_ranked_by_the_time_that_19_of_20_calls_stay_under(run: Run) -> None:
    quick, slow = measured("quick", *range(1, 101)), measured("slow", *range(101, 201), upstream=9.0)
    assert (quick.quantile(0.5), quick.p95) == (0.05, 0.095)
    with run.check("tools", "ranked") as check:
        judge_tools(check, [quick, slow], [])
    (found,) = run.checks
    assert found.status is CheckStatus.PASSED
    assert found.examined == 200
    assert [text.split(":")[0] for text in found.evidence] == ["slow", "quick", "why slow", "why quick"]
    assert "p50 150.0 ms, p95 195.0 ms; 2.00 calls of OrderDesk, 1.00 ms" in found.evidence[0]
    assert "OrderDesk 90.0 ms added up over 2.0 calls; database 0.2 ms (3.0 select, 1.0 insert)" in found.evidence[2]


def test_a_tool_that_was_not_measured_leaves_the_ranking_inconclusive(run: Run) -> None:
    with run.check("tools", "ranked") as check:
        judge_tools(check, [measured("quick", 1.0)], ["new_tool: there is no case for it"])
    assert run.checks[-1].status is CheckStatus.INCONCLUSIVE
    assert "new_tool" in run.checks[-1].reason


def test_costs_are_what_the_counters_grew_by() -> None:
    before = read_exposition('db_query_duration_seconds_count{operation="select"} 4\n')
    after = read_exposition(
        'db_query_duration_seconds_count{operation="select"} 10\n'
        'db_query_duration_seconds_count{operation="insert"} 2\n'
        'db_query_duration_seconds_sum{operation="select"} 0.5\n'
        'orderdesk_api_duration_seconds_count{endpoint="/orders",method="GET"} 3\n'
        'orderdesk_api_duration_seconds_count{endpoint="/orders",method="PUT"} 1\n'
        'orderdesk_api_duration_seconds_sum{endpoint="/orders",method="GET"} 0.25\n'
    )
    once = between(before, after, 0.125)
    assert once == Costs(0.125, 4, 0.25, 0.5, {"select": 6, "insert": 2})
    assert once + once == Costs(0.25, 8, 0.5, 1.0, {"select": 12, "insert": 4})

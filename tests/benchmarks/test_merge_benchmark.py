"""What a write does to an order: changes merged into what was fetched, and what came back held against them."""

from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

from server.orderdesk.kinds import ORDER
from server.orderdesk.merge import merge, shows

CHANGES = {
    "shipping": {"address1": "1 Main Street", "city": "Leeds"},
    "order_metadata": {"channel": "benchmark"},
    "order_notes": [{"content": "Leave with a neighbour"}],
}


def test_merge_a_write(benchmark: BenchmarkFixture, order: dict[str, Any]) -> None:
    merged = benchmark(merge, ORDER.rules, order, CHANGES, "2026-11-23 10:00:00")
    assert merged["shipping"]["city"] == "Leeds"
    assert merged["order_items"] == order["order_items"]


def test_confirm_a_write(benchmark: BenchmarkFixture, order: dict[str, Any]) -> None:
    merged = merge(ORDER.rules, order, CHANGES, "2026-11-23 10:00:00")
    assert benchmark(shows, ORDER.rules, merged, CHANGES) is True

"""A hundred thousand orders: quick to start, small in memory, and all of them can be paged through."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from tests.integration.harness.sandbox.sandbox_process import Sandbox, running_sandbox

ORDERS = 100_000
START_SECONDS = 6.0  # about 1 s on an idle machine
PAGING_SECONDS = 60.0  # about 12 s on an idle machine
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Large:
    sandbox: Sandbox
    start_seconds: float

    def page(self, **asked: str | int) -> dict[str, Any]:
        # orjson, because reading 200 MB is most of this test's work
        answer: dict[str, Any] = orjson.loads(self.sandbox.api.get("/orders", params=asked).content)
        return answer

    def orders(self, **asked: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.page(**asked)["orders"]
        return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    logs: Path = tmp_path_factory.mktemp("large")
    started = time.monotonic()
    with running_sandbox(logs, "--orders", str(ORDERS), "--seed", "3") as sandbox:
        seconds = time.monotonic() - started
        sandbox.control.bucket(enabled=False)
        yield Large(sandbox, seconds)


def test_it_starts_within_seconds(large: Large) -> None:
    assert large.start_seconds < START_SECONDS


def test_all_pages_together_are_every_order_once_newest_first(large: Large) -> None:
    started = time.monotonic()
    ids: list[int] = []
    dates: list[str] = []
    while page := large.orders(limit=500, offset=len(ids)):
        ids += [int(order["id"]) for order in page]
        dates += [order["date_added"] for order in page]
    assert len(ids) == len(set(ids)) == ORDERS
    assert dates == sorted(dates, reverse=True)
    assert time.monotonic() - started < PAGING_SECONDS


def test_filters_see_all_of_them(large: Large) -> None:
    folders = large.sandbox.api.get("/store").json()["store"]["folders"]
    assert sum(large.page(folder_id=number, limit=1)["total_records"] for number in folders) == ORDERS
    (middle,) = large.orders(limit=1, offset=ORDERS // 2)
    assert large.orders(source_id=middle["source_id"]) == [middle]
    date = middle["date_added"]
    assert large.orders(search_start_date=date, search_end_date=date) == [middle]
    assert large.page(search_start_date=date, limit=1)["total_records"] == ORDERS // 2 + 1


def test_a_duplicate_of_any_of_them_is_refused(large: Large) -> None:
    (oldest,) = large.orders(limit=1, order="ASC")
    assert str(oldest["id"]) in large.sandbox.api.post("/orders", json=oldest).json()["message"]


def test_a_changed_order_is_found_among_them(large: Large) -> None:
    (order,) = large.orders(limit=1, offset=77_777)
    large.sandbox.api.put(f"/orders/{order['id']}", json={**order, "email": "one.in.many@example.com"})
    assert [found["id"] for found in large.orders(email="one.in.many@example.com")] == [order["id"]]


def test_its_memory_stays_modest(large: Large) -> None:
    assert psutil.Process(large.sandbox.child.pid).memory_info().rss < 300 * MEGABYTE

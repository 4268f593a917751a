import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.client import Client
from harness.sandbox.faults import (
    ForeignWriter,
    Latency,
    TooManyRequests,
)
from tests.integration.server.bench import ERAS, Bench, Shop, fail, only, succeed

NOTE = {"order_notes": "Call first"}


@pytest.fixture
def era() -> str:
    """What happens upstream is the same in both eras, and much of it takes its time: the newest revision stands."""
    return ERAS[-1]


def test_a_foreign_change_between_reading_and_writing_is_kept(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    since = faults(ForeignWriter(count=2, tokens=0, match=only(shop)))
    result = succeed(client, "orders_update", {"order_id": order_id, "changes": {"email": "ours@example.com"}})
    after = bench.upstream.order(shop.account, order_id)
    assert after["email"] == "ours@example.com"
    assert after["order_metadata"]["warehouse_sync"]
    assert result["order"] == after
    (put,) = bench.upstream.calls(shop.account, since, "PUT")
    (change,) = put["changes"]
    assert set(change["fields"]) - {"date_updated"} == {"email"}


def test_an_order_that_others_never_stop_changing_is_a_conflict_and_nothing_is_written(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(ForeignWriter(tokens=0, match=only(shop)))
    error = fail(client, "orders_update", {"order_id": shop.orders[0], "changes": {"email": "ours@example.com"}})
    assert error["code"] == "CONFLICT_ERROR"
    assert error["details"]["retries_attempted"] == 5
    assert bench.upstream.calls(shop.account, since, "PUT") == []


def test_a_change_that_others_make_while_a_write_waits_for_its_second_try_is_kept(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    faults(TooManyRequests(count=1, retry_after=2, match=only(shop, "PUT")))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(succeed, client, "orders_update", {"order_id": order_id, "changes": NOTE})
        deadline = time.monotonic() + 10
        while not bench.upstream.control.faults()[0]["fired"]:
            assert time.monotonic() < deadline
        foreign = {**bench.upstream.order(shop.account, order_id), "email": "warehouse@example.com"}
        bench.upstream.request(shop.account, "PUT", f"/orders/{order_id}", foreign)
        call.result()
    after = bench.upstream.order(shop.account, order_id)
    assert after["order_notes"][-1]["content"] == "Call first"
    assert after["email"] == "warehouse@example.com"


def test_updates_of_one_order_at_the_same_time_all_survive(bench: Bench, shop: Shop) -> None:
    order_id = shop.orders[0]
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=30, match=only(shop)))
    changes: list[dict[str, Any]] = [
        {"shipping": {"city": "Leeds"}},
        {"shipping": {"address1": "1 New Street"}},
        {"email": "new@example.com"},
        {"order_notes": "One"},
        {"order_notes": "Two"},
    ]

    def update(change: dict[str, Any], version: str) -> None:
        with bench.connect(shop.tenant, version) as client:
            succeed(client, "orders_update", {"order_id": order_id, "changes": change})

    with ThreadPoolExecutor(len(changes)) as pool:
        list(pool.map(update, changes, itertools.cycle(("2025-11-25", "2026-07-28"))))
    after = bench.upstream.order(shop.account, order_id)
    assert after["shipping"]["city"] == "Leeds"
    assert after["shipping"]["address1"] == "1 New Street"
    assert after["email"] == "new@example.com"
    assert {"One", "Two"} <= {note["content"] for note in after["order_notes"]}
    puts = bench.upstream.calls(shop.account, since, "PUT")
    touched = sorted(sorted(set(put["changes"][0]["fields"]) - {"date_updated"}) for put in puts)
    assert touched == [["email"], ["order_notes"], ["order_notes"], ["shipping"], ["shipping"]]


def test_the_same_idempotency_key_at_the_same_time_is_carried_out_once(bench: Bench, shop: Shop) -> None:
    order_id = shop.orders[0]
    since = bench.upstream.control.last_sequence()
    asked = {"order_id": order_id, "changes": NOTE, "idempotency_key": "race"}

    def update(_number: int) -> dict[str, Any]:
        with bench.connect(shop.tenant) as client:
            return succeed(client, "orders_update", asked)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(update, range(4)))
    assert sum("replayed" not in result for result in results) == 1
    assert len(bench.upstream.applied(shop.account, since)) == 1


def test_a_client_that_goes_away_does_not_stop_a_write_half_way(
    bench: Bench, shop: Shop, faults: Callable[..., int]
) -> None:
    order_id = shop.orders[0]
    since = faults(Latency(milliseconds=800, match=only(shop, "PUT")))
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "orders_update", "arguments": {"order_id": order_id, "changes": NOTE}},
    }
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            bench.url,
            json=body,
            headers={"Authorization": f"Bearer {shop.tenant.key}"},
            timeout=0.4,
            trust_env=False,
        )
    deadline = time.monotonic() + 10
    while not bench.query("SELECT 1 FROM writes WHERE target = ? AND state = 'done'", order_id):
        assert time.monotonic() < deadline, "the write was not carried to its end"
        time.sleep(0.05)
    assert len(bench.upstream.applied(shop.account, since)) == 1
    audited = bench.query("SELECT tool, status FROM audit WHERE tenant_id = ? AND target = ?", shop.tenant.id, order_id)
    assert audited == [("orders_update", "success")]

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.client import Client
from harness.sandbox.faults import (
    ConnectionReset,
    ErrorInside200,
    Fault,
    Latency,
    ServerError,
    SlowBody,
    TooManyRequests,
    WrongJson,
)
from tests.integration.server.bench import Bench, Shop, fail, only, succeed
from tests.integration.server.upstream_faults import NEWEST_ERA

pytestmark = NEWEST_ERA


def test_a_429_is_tried_again_after_the_seconds_that_orderdesk_named(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(TooManyRequests(count=1, retry_after=2, match=only(shop)))
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    first, second = bench.upstream.calls(shop.account, since)
    assert (first["status"], second["status"]) == (429, 200)
    assert second["monotonic"] - first["monotonic"] >= 2


def test_a_429_keeps_every_call_to_that_store_waiting_and_no_other_store(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    other = bench.open_shop()
    since = faults(TooManyRequests(count=1, retry_after=1, match=only(shop)))
    with ThreadPoolExecutor(3) as pool, bench.connect(other.tenant) as stranger:
        limited = [pool.submit(succeed, client, "orders_get", {"order_id": order}) for order in shop.orders[:2]]
        began = time.monotonic()
        succeed(stranger, "orders_get", {"order_id": other.orders[0]})
        assert time.monotonic() - began < 0.9
        assert [call.result()["status"] for call in limited] == ["success"] * 2
    calls = bench.upstream.calls(shop.account, since)
    refused = min(call["monotonic"] for call in calls if call["status"] == 429)
    late = [call for call in calls if call["status"] == 200 and call["monotonic"] > refused + 0.1]
    assert late
    assert all(call["monotonic"] - refused >= 1 for call in late)


def test_a_429_that_outlasts_the_deadline_is_told_at_once_with_the_wait(
    shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(TooManyRequests(retry_after=60, match=only(shop)))
    began = time.monotonic()
    outcome = client.call_tool("orders_get", {"order_id": shop.orders[0]})
    assert time.monotonic() - began < 3
    assert outcome.structured is not None
    error = outcome.structured["error"]
    assert error["code"] == "RATE_LIMIT_EXCEEDED"
    assert error["details"]["limit"] == "orderdesk"
    assert 50 <= error["details"]["retry_after_seconds"] <= 61
    assert outcome.headers["retry-after"] == str(error["details"]["retry_after_seconds"])


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(ServerError(status=503, count=2), id="503"),
        pytest.param(ServerError(status=500, count=2), id="500"),
        pytest.param(ServerError(status=502, count=2), id="502"),
        pytest.param(ConnectionReset(count=2), id="reset"),
        pytest.param(WrongJson(form="truncated", count=2), id="cut JSON"),
        pytest.param(WrongJson(form="html", count=2), id="HTML in a 200"),
    ],
)
def test_a_read_that_fails_is_tried_again(
    fault: Fault, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(fault.model_copy(update={"match": only(shop)}))
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    assert len(bench.upstream.calls(shop.account, since)) == 3


def test_a_read_is_given_up_after_the_tries_that_are_set_and_not_cached(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(ServerError(status=503, count=4, match=only(shop)))
    error = fail(client, "orders_list", {"limit": 1})
    assert error["code"] == "UPSTREAM_UNAVAILABLE"
    assert len(bench.upstream.calls(shop.account, since)) == 4
    assert succeed(client, "orders_list", {"limit": 1})["cached"] is False


def test_an_upstream_that_hangs_costs_no_more_than_the_deadline(
    shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    faults(Latency(milliseconds=60_000, match=only(shop)))
    began = time.monotonic()
    assert fail(client, "products_list", {"limit": 1})["code"] == "UPSTREAM_UNAVAILABLE"
    assert time.monotonic() - began < 8


def test_a_body_that_drips_is_cut_off_like_one_that_does_not_come(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    since = faults(SlowBody(milliseconds=20_000, count=1, match=only(shop)))
    began = time.monotonic()
    succeed(client, "orders_get", {"order_id": shop.orders[0]})
    assert time.monotonic() - began < 8
    assert len(bench.upstream.calls(shop.account, since)) == 2


@pytest.mark.parametrize("tool", ["orders_get", "orders_list", "products_list"])
def test_an_error_inside_a_200_is_an_error_and_is_not_cached(
    tool: str, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    arguments = {"order_id": shop.orders[0]} if tool == "orders_get" else {"limit": 1}
    faults(ErrorInside200(message="Store is closed", count=1, match=only(shop)))
    error = fail(client, tool, arguments)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Store is closed")
    assert succeed(client, tool, arguments)["cached"] is False

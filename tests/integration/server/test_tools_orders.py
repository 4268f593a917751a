import time
import urllib.parse
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed


def test_an_order_is_read_as_orderdesk_holds_it_and_the_second_time_from_the_cache(
    bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    since = bench.upstream.control.last_sequence()
    first = succeed(client, "orders_get", {"order_id": order_id})
    second = succeed(client, "orders_get", {"order_id": order_id, "store_identifier": shop.label})
    assert first == {"status": "success", "order": bench.upstream.order(shop.account, order_id), "cached": False}
    assert second == {**first, "cached": True}
    reads = [call for call in bench.upstream.calls(shop.account, since) if call["path"] == f"/orders/{order_id}"]
    assert len(reads) == 2  # the server's one, and this test's own


def test_an_order_id_may_be_a_number(shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    assert str(succeed(client, "orders_get", {"order_id": int(order_id)})["order"]["id"]) == order_id


def test_pages_follow_each_other_without_gap_or_overlap(bench: Bench, shop: Shop, client: Client) -> None:
    seen: list[str] = []
    held = bench.upstream.held(shop.account)
    offset, pages = 0, 0
    while True:
        page = succeed(client, "orders_list", {"limit": 100, "offset": offset})
        pages += 1
        pagination = page["pagination"]
        assert pagination == {
            "count": len(page["orders"]),
            "limit": 100,
            "offset": offset,
            "page": pages,
            "has_more": offset + len(page["orders"]) < held,
            "total": held,
        }
        seen += [str(order["id"]) for order in page["orders"]]
        if not pagination["has_more"]:
            break
        offset += pagination["count"]
    listed = bench.upstream.request(shop.account, "GET", "/orders?limit=500")["orders"]
    assert seen == [str(order["id"]) for order in listed]


def test_a_page_is_cached_by_everything_that_was_asked(bench: Bench, shop: Shop, client: Client) -> None:
    since = bench.upstream.control.last_sequence()
    asked: list[dict[str, Any]] = [
        {"limit": 5},
        {"limit": 5, "offset": 5},
        {"limit": 5, "order": "ASC"},
        {"limit": 5, "folder_name": "New"},
        {"limit": 5, "source_name": "Shopify"},
        {"limit": 5, "search_start_date": "2026-06-01 00:00:00"},
    ]
    first = [succeed(client, "orders_list", arguments) for arguments in asked]
    second = [succeed(client, "orders_list", arguments) for arguments in asked]
    assert [page["cached"] for page in first] == [False] * len(asked)
    assert second == [{**page, "cached": True} for page in first]
    listed = [call for call in bench.upstream.calls(shop.account, since) if call["path"] == "/orders"]
    assert len(listed) == len(asked)
    assert first[0]["orders"] != first[1]["orders"] != first[2]["orders"]


def test_every_filter_reaches_orderdesk_under_its_own_name(bench: Bench, shop: Shop, client: Client) -> None:
    texts = ["folder_id", "folder_name", "source_id", "source_name", "email", "customer_id", "order_by"]
    texts += [
        f"{person}_{part}"
        for person in ("customer", "shipping")
        for part in ("first_name", "last_name", "company", "address1", "phone")
    ]
    dates = ["search_start_date", "search_end_date", "modified_start_date", "modified_end_date"]
    known = bench.upstream.order(shop.account, shop.orders[0])
    folders = bench.upstream.request(shop.account, "GET", "/store")["store"]["folders"]
    values = {
        **{name: f"{name} & ü" for name in texts},
        **dict.fromkeys(dates, "2026-01-02 03:04:05"),
        "folder_id": str(known["folder_id"]),
        "folder_name": folders[str(known["folder_id"])],
        "order_by": "date_updated",
    }
    since = bench.upstream.control.last_sequence()
    succeed(client, "orders_list", {**values, "order": "ASC", "get_order_history": True, "limit": 3, "offset": 1})
    (call,) = [call for call in bench.upstream.calls(shop.account, since) if call["path"] == "/orders"]
    sent = dict(urllib.parse.parse_qsl(call["query"]))
    assert sent == {**values, "order": "ASC", "get_order_history": "1", "limit": "3", "offset": "1"}


def test_a_filter_selects_the_orders_that_orderdesk_would(bench: Bench, shop: Shop, client: Client) -> None:
    known = bench.upstream.order(shop.account, shop.orders[0])
    found = succeed(client, "orders_list", {"email": known["email"]})["orders"]
    assert str(known["id"]) in {str(order["id"]) for order in found}
    assert {order["email"] for order in found} == {known["email"]}
    assert succeed(client, "orders_list", {"email": "nobody@example.com"})["pagination"]["total"] == 0


@pytest.mark.parametrize("order_id", ["999999999", "0"])
def test_an_order_that_does_not_exist_is_not_found(order_id: str, client: Client) -> None:
    error = fail(client, "orders_get", {"order_id": order_id})
    assert error["code"] == "NOT_FOUND"
    assert fail(client, "orders_update", {"order_id": order_id, "changes": {"email": "a"}})["code"] == "NOT_FOUND"


def test_an_order_of_another_store_is_not_found(bench: Bench, client: Client) -> None:
    other = bench.open_shop()
    assert fail(client, "orders_get", {"order_id": other.orders[0]})["code"] == "NOT_FOUND"


def test_a_not_found_is_not_cached(bench: Bench, shop: Shop, client: Client) -> None:
    since = bench.upstream.control.last_sequence()
    for _ in range(2):
        fail(client, "orders_get", {"order_id": "999999999"})
    assert len(bench.upstream.calls(shop.account, since)) == 2


def test_a_cached_order_expires(start: Any) -> None:
    bench = start(CACHE_TTL_ORDERS_SECONDS="0.5", CACHE_TTL_PRODUCTS_SECONDS="0")
    shop = bench.open_shop()
    with bench.connect(shop.tenant) as client:
        order_id = shop.orders[0]
        assert succeed(client, "orders_get", {"order_id": order_id})["cached"] is False
        changed = {**bench.upstream.order(shop.account, order_id), "email": "changed@example.com"}
        bench.upstream.request(shop.account, "PUT", f"/orders/{order_id}", changed)
        deadline = time.monotonic() + 5
        while (seen := succeed(client, "orders_get", {"order_id": order_id}))["order"]["email"] != changed["email"]:
            assert time.monotonic() < deadline, "a stale order was served for 5 s"
        assert seen["cached"] is False
        # Products are not cached at all here: a time to live of 0 switches it off.
        assert [succeed(client, "products_list", {"limit": 2})["cached"] for _ in range(2)] == [False, False]


def test_a_folder_that_does_not_exist_is_told_instead_of_an_empty_list(shop: Shop, client: Client) -> None:
    error = fail(client, "orders_list", {"folder_name": "Nwe"})
    assert error["code"] == "VALIDATION_ERROR"
    assert "did you mean 'New'?" in error["details"]["invalid_fields"]["folder_name"]

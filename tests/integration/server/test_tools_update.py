import copy
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed


def puts(bench: Bench, shop: Shop, since: int) -> list[dict[str, Any]]:
    return bench.upstream.calls(shop.account, since, "PUT")


def changed_fields(entry: dict[str, Any]) -> set[str]:
    (change,) = entry["changes"]
    return set(change["fields"]) - {"date_updated"}


def test_a_nested_change_alters_that_field_and_nothing_else(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "orders_update", {"order_id": order_id, "changes": {"shipping": {"city": "Leeds"}}})
    after = bench.upstream.order(shop.account, order_id)
    assert after == {
        **before,
        "shipping": {**before["shipping"], "city": "Leeds"},
        "date_updated": after["date_updated"],
    }
    assert result == {
        "status": "success",
        "order": after,
        "message": f"Order {order_id} updated successfully",
        "write_id": result["write_id"],
    }
    (put,) = puts(bench, shop, since)
    assert changed_fields(put) == {"shipping"}


def test_notes_are_appended_once_whatever_their_form(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)["order_notes"]
    notes = ["Call first", {"content": "Leave at door", "username": "Ada"}, " call FIRST "]
    for _ in range(2):
        succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_notes": notes}})
    after = bench.upstream.order(shop.account, order_id)["order_notes"]
    assert after[: len(before)] == before
    assert [(note["username"], note["content"]) for note in after[len(before) :]] == [
        ("System", "Call first"),
        ("Ada", "Leave at door"),
    ]


def test_null_removes_a_key_and_a_list_is_replaced(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"checkout_data": {"a": "1", "b": "2"}}})
    items = bench.upstream.order(shop.account, order_id)["order_items"]
    changes = {"checkout_data": {"a": None}, "order_items": items[:1], "customer": {"phone": None}}
    succeed(client, "orders_update", {"order_id": order_id, "changes": changes})
    after = bench.upstream.order(shop.account, order_id)
    assert "a" not in after["checkout_data"]
    assert after["checkout_data"]["b"] == "2"
    assert after["order_items"] == items[:1]
    assert after["customer"]["phone"] == ""


def test_a_change_is_seen_by_the_next_read_and_list(bench: Bench, shop: Shop, client: Client) -> None:
    order_id, other = shop.orders[:2]
    for read in (order_id, other):
        succeed(client, "orders_get", {"order_id": read})
    listing = {"limit": 1, "email": "moved@example.com"}
    assert succeed(client, "orders_list", listing)["pagination"]["total"] == 0
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"email": "moved@example.com"}})
    fresh = succeed(client, "orders_get", {"order_id": order_id})
    assert (fresh["order"]["email"], fresh["cached"]) == ("moved@example.com", False)
    assert succeed(client, "orders_list", listing)["pagination"]["total"] == 1
    assert succeed(client, "orders_get", {"order_id": other})["cached"] is True


def test_a_dry_run_tells_the_difference_and_changes_nothing(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    since = bench.upstream.control.last_sequence()
    asked = {"order_id": order_id, "changes": {"shipping": {"city": "York"}, "email": None}, "dry_run": True}
    result = succeed(client, "orders_update", asked)
    assert result["dry_run"] is True
    assert result["changes"] == [
        {"object": f"Order {order_id}", "field": "email", "before": before["email"], "after": None},
        {
            "object": f"Order {order_id}",
            "field": "shipping.city",
            "before": before["shipping"]["city"],
            "after": "York",
        },
    ]
    assert puts(bench, shop, since) == []
    assert bench.upstream.order(shop.account, order_id) == before


def test_a_dry_run_uses_up_no_idempotency_key(shop: Shop, client: Client) -> None:
    asked = {"order_id": shop.orders[0], "changes": {"email": "a@example.com"}, "idempotency_key": "dry"}
    succeed(client, "orders_update", {**asked, "dry_run": True})
    result = succeed(client, "orders_update", asked)
    assert "replayed" not in result
    assert result["order"]["email"] == "a@example.com"


def test_a_change_that_is_there_already_writes_nothing(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    asked = {"order_id": order_id, "changes": {"email": "same@example.com"}}
    succeed(client, "orders_update", asked)
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "orders_update", asked)
    assert "nothing was written" in result["message"]
    assert puts(bench, shop, since) == []


@pytest.mark.parametrize("field", ["email", "order_metadata"])
def test_what_was_removed_is_not_written_again_though_orderdesk_shows_it_as_blank(
    field: str, bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_metadata": {"gift": "yes"}}})
    metadata = bench.upstream.order(shop.account, order_id)["order_metadata"]
    changes = {field: None if field == "email" else dict.fromkeys(metadata)}
    since = bench.upstream.control.last_sequence()
    for _ in range(2):
        succeed(client, "orders_update", {"order_id": order_id, "changes": changes})
    assert len(puts(bench, shop, since)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_total": 1}, "changes.order_total"),
        ({"id": "5"}, "changes.id"),
        ({"order_shipments": []}, "changes.order_shipments"),
        ({"emial": "a"}, "changes.emial"),
        ({"order_notes": 5}, "changes.order_notes"),
        ({"tax_total": "a lot"}, "changes.tax_total"),
        ({"email": True}, "changes.email"),
        ({"email_count": 9}, "changes.email_count"),
        ({"source_id": ""}, "changes.source_id"),
        ({"order_items": [{"name": "Mug", "extra": 1}]}, "changes.order_items.0.extra"),
        ({"order_items": [{"id": "1", "name": "Mug"}]}, "changes.order_items.0.id"),
        ({"discount_list": [{"name": "A"}, {"ammount": 1}]}, "changes.discount_list.1.ammount"),
        ({"return_address": {"first_name": "A"}}, "changes.return_address.first_name"),
        ({"order_metadata": {"k": "x" * 2_001}}, "changes.order_metadata"),
        ({}, "changes"),
    ],
    ids=str,
)
def test_a_change_that_cannot_be_made_is_refused_before_anything_is_written(
    changes: dict[str, Any], field: str, bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    error = fail(client, "orders_update", {"order_id": shop.orders[0], "changes": changes})
    assert error["code"] == "VALIDATION_ERROR"
    assert list(error["details"]["invalid_fields"]) == [field]
    assert puts(bench, shop, since) == []


def test_what_orderdesk_refuses_is_told_with_its_reason(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    items = [{**before["order_items"][0], "delivery_type": "mail"}]
    error = fail(client, "orders_update", {"order_id": order_id, "changes": {"order_items": items}})
    assert error["code"] == "ORDERDESK_API_ERROR"
    assert "delivery_type" in error["message"]
    assert bench.upstream.order(shop.account, order_id) == before


def test_an_idempotency_key_carries_a_change_out_once_and_replays_its_result(
    bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    asked = {"order_id": order_id, "changes": {"order_notes": "Once"}, "idempotency_key": "once"}
    since = bench.upstream.control.last_sequence()
    first = succeed(client, "orders_update", asked)
    interim = {"order_id": order_id, "changes": {"email": "later@example.com"}}
    succeed(client, "orders_update", interim)
    second = succeed(client, "orders_update", {**copy.deepcopy(asked), "store_identifier": shop.label})
    assert second == {**first, "replayed": True}
    assert len(puts(bench, shop, since)) == 2
    assert bench.upstream.order(shop.account, order_id)["email"] == "later@example.com"


@pytest.mark.parametrize("other", ["another order", "other changes"])
def test_an_idempotency_key_with_other_arguments_is_a_conflict(
    other: str, bench: Bench, shop: Shop, client: Client
) -> None:
    asked: dict[str, Any] = {
        "order_id": shop.orders[0],
        "changes": {"order_notes": "Once"},
        "idempotency_key": "conflict",
    }
    succeed(client, "orders_update", asked)
    since = bench.upstream.control.last_sequence()
    changed = {"order_id": shop.orders[1]} if other == "another order" else {"changes": {"order_notes": "Twice"}}
    error = fail(client, "orders_update", {**asked, **changed})
    assert error["code"] == "CONFLICT_ERROR"
    assert "idempotency_key" in error["message"]
    assert puts(bench, shop, since) == []


def test_an_idempotency_key_is_taken_by_a_change_that_was_there_already(shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    succeed(client, "orders_update", {"order_id": order_id, "changes": {"email": "a@example.com"}})
    asked = {"order_id": order_id, "changes": {"email": "a@example.com"}, "idempotency_key": "noop"}
    succeed(client, "orders_update", asked)
    error = fail(client, "orders_update", {**asked, "changes": {"email": "b@example.com"}})
    assert error["code"] == "CONFLICT_ERROR"

from collections.abc import Callable
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import ConnectionReset, LostResponse, Match
from tests.integration.server.bench import Bench, Shop, fail, succeed
from tests.integration.server.writings import NEW_ITEM, first_item

Faults = Callable[..., int]


def items(bench: Bench, shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bench.upstream.order(shop.account, shop.orders[0])["order_items"]
    return found


def test_an_order_s_items_are_read_page_by_page_from_the_cached_order(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    succeed(client, "order_items_add", {"order_id": order_id, **NEW_ITEM})
    whole = items(bench, shop)
    succeed(client, "orders_get", {"order_id": order_id})
    since = bench.upstream.control.last_sequence()
    read: list[dict[str, Any]] = []
    while True:
        page = succeed(client, "order_items_list", {"order_id": order_id, "limit": 1, "offset": len(read)})
        assert page["cached"] is True
        assert page["pagination"]["total"] == len(whole)
        read += page["order_items"]
        if not page["pagination"]["has_more"]:
            break
    assert read == whole
    for item in whole:
        got = succeed(client, "order_items_get", {"order_id": order_id, "item_id": item["id"]})
        assert (got["item"], got["cached"]) == (item, True)
    assert bench.upstream.calls(shop.account, since) == []


def test_an_item_or_order_that_is_not_there_is_not_found(shop: Shop, client: Client) -> None:
    for asked in ({"order_id": shop.orders[0], "item_id": "1"}, {"order_id": "999999999", "item_id": "1"}):
        assert fail(client, "order_items_get", asked)["code"] == "NOT_FOUND"
    assert fail(client, "order_items_list", {"order_id": "999999999"})["code"] == "NOT_FOUND"


def test_an_added_item_is_the_one_that_orderdesk_holds_and_the_next_reading_shows_it(
    bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    before = items(bench, shop)
    succeed(client, "order_items_list", {"order_id": order_id})
    result = succeed(client, "order_items_add", {"order_id": order_id, **NEW_ITEM, "delivery_type": "noship"})
    assert items(bench, shop) == [*before, result["item"]]
    assert {name: result["item"][name] for name in NEW_ITEM} == NEW_ITEM
    assert result["item"]["delivery_type"] == "noship"
    page = succeed(client, "order_items_list", {"order_id": order_id})
    assert (page["order_items"][-1], page["cached"]) == (result["item"], False)


def test_the_same_item_is_added_as_often_as_it_is_asked_for_and_a_lost_answer_finds_the_new_one(
    bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    asked = {"order_id": shop.orders[0], **NEW_ITEM}
    before = len(items(bench, shop))
    adding = Match(method="POST", path_prefix="/orders", store_id=shop.account.store_id)
    first = succeed(client, "order_items_add", asked)["item"]["id"]
    faults(LostResponse(count=1, match=adding))
    second = succeed(client, "order_items_add", asked)["item"]["id"]
    faults(ConnectionReset(count=1, match=adding))
    assert fail(client, "order_items_add", asked)["code"] == "WRITE_UNCERTAIN"
    assert [item["id"] for item in items(bench, shop)[before:]] == [first, second]


def test_a_change_of_an_item_alters_that_field_and_nothing_else(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    added = succeed(client, "order_items_add", {"order_id": order_id, **NEW_ITEM})["item"]
    before = items(bench, shop)
    changes = {"quantity": 5, "metadata": {"engraving": None, "colour": "red"}}
    asked = {"order_id": order_id, "item_id": added["id"], "changes": changes}
    result = succeed(client, "order_items_update", asked)
    changed = {**added, "quantity": 5, "metadata": {"colour": "red"}}
    assert result["item"] == changed
    assert items(bench, shop) == [*before[:-1], changed]
    since = bench.upstream.control.last_sequence()
    assert "nothing was written" in succeed(client, "order_items_update", asked)["message"]
    assert bench.upstream.calls(shop.account, since, "PUT") == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"id": "1"}, "changes.id"), ({"quantitty": 1}, "changes.quantitty"), ({}, "changes"), ({"metadata": "x"}, None)],
    ids=str,
)
def test_a_change_of_an_item_that_cannot_be_made_is_refused(
    changes: dict[str, Any], field: str | None, bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    asked = {"order_id": shop.orders[0], "item_id": first_item(bench, shop)["id"], "changes": changes}
    error = fail(client, "order_items_update", asked)
    assert error["code"] == "VALIDATION_ERROR"
    assert list(error["details"]["invalid_fields"]) == [field or "changes.metadata"]
    assert bench.upstream.calls(shop.account, since, "PUT") == []


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"price": "a lot"}, {"price": "inf"}, {"delivery_type": "mail"}, {"id": "1"}, {"metadata": []}],
    ids=str,
)
def test_an_item_that_cannot_be_added_is_refused_before_orderdesk_is_asked(
    wrong: dict[str, Any], bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    error = fail(client, "order_items_add", {"order_id": shop.orders[0], **NEW_ITEM, **wrong})
    assert error["code"] == "VALIDATION_ERROR"
    assert bench.upstream.calls(shop.account, since) == []


def test_a_deleted_item_is_gone_and_the_others_stay(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    added = succeed(client, "order_items_add", {"order_id": order_id, **NEW_ITEM})["item"]
    before = items(bench, shop)
    succeed(client, "order_items_get", {"order_id": order_id, "item_id": added["id"]})
    result = succeed(client, "order_items_delete", {"order_id": order_id, "item_id": added["id"]})
    assert result["deleted_id"] == added["id"]
    assert items(bench, shop) == before[:-1]
    assert fail(client, "order_items_get", {"order_id": order_id, "item_id": added["id"]})["code"] == "NOT_FOUND"
    assert fail(client, "order_items_delete", {"order_id": order_id, "item_id": added["id"]})["code"] == "NOT_FOUND"

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import ConnectionReset, Fault, ForeignWriter, Latency, LostResponse, Match, WrongJson
from tests.integration.server.bench import Bench, Shop, fail, succeed
from tests.integration.server.conftest import StartBench
from tests.integration.server.writings import order_data, other_folder

Faults = Callable[..., int]


def creating(shop: Shop) -> Match:
    return Match(method="POST", path_prefix="/orders", store_id=shop.account.store_id)


def history(bench: Bench, shop: Shop, order_id: str) -> list[dict[str, Any]]:
    order = bench.upstream.order(shop.account, order_id)
    asked = f"/orders?source_id={order['source_id']}&get_order_history=1"
    (found,) = bench.upstream.request(shop.account, "GET", asked)["orders"]
    entries: list[dict[str, Any]] = found["order_history"]
    return entries


def test_a_created_order_is_the_one_that_orderdesk_holds(bench: Bench, shop: Shop, client: Client) -> None:
    held = succeed(client, "orders_list", {"limit": 1})["pagination"]["total"]
    data = order_data(shop, order_notes="Gift", checkout_data={"PO": "1"}, email=None, tag_name="Priority")
    result = succeed(client, "orders_create", {"order_data": data})
    order = result["order"]
    assert order == bench.upstream.order(shop.account, order["id"])
    assert result["message"] == f"Order {order['id']} created successfully"
    assert (order["source_id"], order["source_name"]) == (data["source_id"], "Phone")
    assert [(note["username"], note["content"]) for note in order["order_notes"]] == [("System", "Gift")]
    assert (order["order_items"][0]["name"], order["product_total"], order["tag_name"]) == ("Oak Tray", 49, "Priority")
    assert succeed(client, "orders_list", {"limit": 1})["pagination"]["total"] == held + 1


def test_an_order_without_a_source_id_is_found_by_the_one_that_was_generated(
    bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    data = {name: value for name, value in order_data(shop).items() if name != "source_id"}
    since = faults(ConnectionReset(count=1, match=creating(shop)))
    error = fail(client, "orders_create", {"order_data": data})
    assert error["code"] == "WRITE_UNCERTAIN"
    source_id = error["details"]["source_id"]
    assert source_id.startswith("qm-")
    assert succeed(client, "orders_find", {"source_id": source_id})["orders"] == []
    assert bench.upstream.applied(shop.account, since) == []
    created = succeed(client, "orders_create", {"order_data": data})["order"]
    assert created["source_id"].startswith("qm-")
    assert created["source_id"] != source_id
    found = succeed(client, "orders_find", {"source_id": created["source_id"]})
    assert (found["orders"], found["count"], found["cached"]) == ([created], 1, False)
    assert succeed(client, "orders_find", {"source_id": created["source_id"]})["cached"] is True


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(LostResponse(count=1), id="lost"),
        pytest.param(WrongJson(form="html", count=1), id="HTML in a 200"),
        pytest.param(WrongJson(form="truncated", count=1), id="cut JSON"),
    ],
)
def test_an_order_whose_creation_was_not_answered_is_found_by_its_generated_source_id(
    fault: Fault, bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    data = {name: value for name, value in order_data(shop).items() if name not in {"source_id", "source_name"}}
    since = faults(fault.model_copy(update={"match": creating(shop)}))
    created = succeed(client, "orders_create", {"order_data": data, "idempotency_key": "lost"})
    (applied,) = bench.upstream.applied(shop.account, since)
    assert applied["order_id"] == created["order"]["id"]
    assert succeed(client, "orders_create", {"order_data": data, "idempotency_key": "lost"}) == {
        **created,
        "replayed": True,
    }


def test_an_order_of_the_same_source_is_a_conflict_that_names_it(bench: Bench, shop: Shop, client: Client) -> None:
    existing = succeed(client, "orders_create", {"order_data": order_data(shop)})["order"]
    since = bench.upstream.control.last_sequence()
    for dry_run in (True, False):
        error = fail(client, "orders_create", {"order_data": order_data(shop), "dry_run": dry_run})
        assert (error["code"], error["details"]["existing_id"]) == ("CONFLICT_ERROR", existing["id"])
    assert bench.upstream.calls(shop.account, since, "POST") == []
    succeed(client, "orders_create", {"order_data": order_data(shop, source_name="Fax")})


def test_orderdesk_s_own_refusal_of_a_duplicate_is_the_same_conflict(bench: Bench, shop: Shop, client: Client) -> None:
    existing = succeed(client, "orders_create", {"order_data": order_data(shop)})["order"]
    since = bench.upstream.control.last_sequence()
    # The sandbox compares regardless of case; we do not.
    data = order_data(shop, source_name="PHONE")
    error = fail(client, "orders_create", {"order_data": data, "idempotency_key": "case"})
    assert (error["code"], error["details"]["existing_id"]) == ("CONFLICT_ERROR", existing["id"])
    assert len(bench.upstream.calls(shop.account, since, "POST")) == 1
    assert bench.upstream.applied(shop.account, since) == []


def test_two_clients_that_create_the_same_order_at_once_make_one(bench: Bench, shop: Shop) -> None:
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=50, match=Match(store_id=shop.account.store_id)))

    def create(_: int) -> bool:
        with bench.connect(shop.tenant) as client:
            return client.call_tool("orders_create", {"order_data": order_data(shop)}).is_error

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, True, True, True]
    assert len(bench.upstream.applied(shop.account, since)) == 1


def test_the_same_creation_under_one_key_at_once_makes_one_order_that_all_are_told(bench: Bench, shop: Shop) -> None:
    data = {name: value for name, value in order_data(shop).items() if name != "source_id"}
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=50, match=Match(store_id=shop.account.store_id)))

    def create(_: int) -> str:
        with bench.connect(shop.tenant) as client:
            result = succeed(client, "orders_create", {"order_data": data, "idempotency_key": "one"})
            return str(result["order"]["id"])

    with ThreadPoolExecutor(4) as pool:
        (created,) = set(pool.map(create, range(4)))
    (applied,) = bench.upstream.applied(shop.account, since)
    assert applied["order_id"] == created


@pytest.mark.parametrize(
    ("data", "missing", "invalid"),
    [
        ({}, ["order_data.order_items", "order_data.customer.last_name"], []),
        ({"order_items": [{"name": "A"}]}, ["order_data.customer.last_name"], []),
        ({"customer": {"company": "A"}, "order_items": []}, ["order_data.order_items"], []),
        ({"emial": "a"}, ["order_data.order_items", "order_data.customer.last_name"], ["order_data.emial"]),
        ({"shipping": {"first_name": "A"}, "order_items": [1]}, [], ["order_data.order_items"]),
        ({"shipping": "A", "order_items": [{}]}, ["order_data.customer.last_name"], ["order_data.shipping"]),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_created_is_refused_with_all_that_is_wrong_before_orderdesk_is_asked(
    data: dict[str, Any], missing: list[str], invalid: list[str], bench: Bench, shop: Shop, client: Client
) -> None:
    since = bench.upstream.control.last_sequence()
    error = fail(client, "orders_create", {"order_data": data})
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["missing_fields"] == missing
    assert list(error["details"]["invalid_fields"]) == invalid
    assert error["details"]["example_request"]["order_data"]["order_items"]
    assert bench.upstream.calls(shop.account, since) == []


def test_a_deleted_order_is_gone_for_every_reading(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    total = succeed(client, "orders_list", {"limit": 1})["pagination"]["total"]
    succeed(client, "orders_get", {"order_id": order_id})
    result = succeed(client, "orders_delete", {"order_id": int(order_id)})
    assert (result["deleted_id"], result["message"]) == (order_id, f"Order {order_id} deleted successfully")
    assert fail(client, "orders_get", {"order_id": order_id})["code"] == "NOT_FOUND"
    assert succeed(client, "orders_list", {"limit": 1})["pagination"]["total"] == total - 1
    assert fail(client, "orders_delete", {"order_id": order_id})["code"] == "NOT_FOUND"


def test_each_moved_order_has_its_own_result(bench: Bench, shop: Shop, client: Client) -> None:
    here, there, absent = shop.orders[0], shop.orders[1], "999999999"
    folder = other_folder(bench, shop, here, there)
    bench.upstream.request(
        shop.account, "POST", "/move-orders", {"order_id_list": [there], "destination_folder_id": folder}
    )
    before = succeed(client, "orders_get", {"order_id": here})["order"]
    since = bench.upstream.control.last_sequence()
    asked = {"order_ids": [here, there, absent, here], "destination_folder_id": int(folder)}
    result = succeed(client, "orders_move", asked)
    assert {name: result[name] for name in ("moved", "unchanged", "failed")} == {
        "moved": 1,
        "unchanged": 1,
        "failed": 1,
    }
    assert result["results"] == [
        {"order_id": here, "status": "moved", "message": "Moved", "original_folder_id": str(before["folder_id"])},
        {"order_id": there, "status": "unchanged", "message": "Was there already", "original_folder_id": folder},
        {"order_id": absent, "status": "failed", "message": "Order not found"},
    ]
    assert result["message"] == f"1 of 3 orders moved to folder {folder}, 1 there already, 1 failed"
    (applied,) = bench.upstream.applied(shop.account, since)
    assert {change["id"] for change in applied["changes"]} == {here}
    fresh = succeed(client, "orders_get", {"order_id": here})
    assert (str(fresh["order"]["folder_id"]), fresh["cached"]) == (folder, False)
    since = bench.upstream.control.last_sequence()
    again = succeed(client, "orders_move", asked)
    assert (again["moved"], again["unchanged"], again["failed"]) == (0, 2, 1)
    assert bench.upstream.calls(shop.account, since, "POST") == []


def test_a_folder_may_be_named_and_a_wrong_name_is_met_with_the_nearest(
    bench: Bench, shop: Shop, client: Client
) -> None:
    order_id = shop.orders[0]
    folder = other_folder(bench, shop, order_id)
    name = bench.upstream.request(shop.account, "GET", "/store")["store"]["folders"][folder]
    moved = succeed(client, "orders_move", {"order_ids": [order_id], "destination_folder_name": name.upper()})
    assert (moved["moved"], moved["folder_id"]) == (1, folder)
    since = bench.upstream.control.last_sequence()
    for wrong in ({"destination_folder_name": "Shiped"}, {"destination_folder_id": "5"}):
        error = fail(client, "orders_move", {"order_ids": [order_id], **wrong})
        assert error["code"] == "VALIDATION_ERROR"
        assert list(error["details"]["invalid_fields"]) == list(wrong)
    assert (
        "Shipped"
        in fail(client, "orders_move", {"order_ids": [order_id], "destination_folder_name": "Shiped"})["message"]
    )
    assert bench.upstream.calls(shop.account, since, "POST") == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"order_ids": ["1"]},
        {"order_ids": ["1"], "destination_folder_id": "1", "destination_folder_name": "New"},
        {"order_ids": [], "destination_folder_id": "1"},
        {"order_ids": [str(number) for number in range(26)], "destination_folder_id": "1"},
    ],
    ids=["no folder", "two folders", "no orders", "too many orders"],
)
def test_a_move_that_says_too_little_or_too_much_is_refused(wrong: dict[str, Any], client: Client) -> None:
    assert fail(client, "orders_move", wrong)["code"] == "VALIDATION_ERROR"


def test_moves_that_share_orders_at_the_same_time_wait_for_each_other(bench: Bench, shop: Shop) -> None:
    orders = list(shop.orders[:3])
    folder = other_folder(bench, shop, *orders)
    since = bench.upstream.control.last_sequence()
    bench.upstream.control.set_faults(Latency(milliseconds=20, match=Match(store_id=shop.account.store_id)))

    def move(ids: list[str]) -> int:
        with bench.connect(shop.tenant) as client:
            result = succeed(client, "orders_move", {"order_ids": ids, "destination_folder_id": folder})
            return int(result["moved"])

    with ThreadPoolExecutor(4) as pool:
        moved = list(pool.map(move, [orders, orders[::-1], orders[:2], orders[1:]]))
    assert sum(moved) == 3
    applied = [change["id"] for call in bench.upstream.applied(shop.account, since) for change in call["changes"]]
    assert sorted(set(applied)) == sorted(orders)


def test_a_note_joins_those_that_are_there_and_is_added_once(bench: Bench, shop: Shop, client: Client) -> None:
    order_id = shop.orders[0]
    before = bench.upstream.order(shop.account, order_id)
    bench.upstream.control.set_faults(ForeignWriter(count=1, tokens=0, match=Match(store_id=shop.account.store_id)))
    succeed(client, "orders_add_note", {"order_id": order_id, "note": "Ring twice", "username": "Ada"})
    since = bench.upstream.control.last_sequence()
    again = succeed(client, "orders_add_note", {"order_id": order_id, "note": " ring TWICE"})
    assert "nothing was written" in again["message"]
    assert bench.upstream.calls(shop.account, since, "PUT") == []
    succeed(client, "orders_add_note", {"order_id": order_id, "note": "And wait"})
    after = bench.upstream.order(shop.account, order_id)
    assert after["order_notes"][: len(before["order_notes"])] == before["order_notes"]
    added = after["order_notes"][len(before["order_notes"]) :]
    assert [(note["username"], note["content"]) for note in added] == [("Ada", "Ring twice"), ("System", "And wait")]
    assert after["order_metadata"]["warehouse_sync"]


def test_each_history_entry_is_appended_though_the_same_is_there(
    bench: Bench, shop: Shop, client: Client, faults: Faults
) -> None:
    order_id = shop.orders[0]
    before = history(bench, shop, order_id)
    asked = {"order_id": order_id, "note": "Label printed", "source_name": "Warehouse"}
    result = succeed(client, "orders_add_history", asked)
    assert result["entry"] == {"note": "Label printed", "source_name": "Warehouse"}
    faults(LostResponse(count=1, match=creating(shop)))
    succeed(client, "orders_add_history", asked)
    faults(ConnectionReset(count=1, match=creating(shop)))
    assert fail(client, "orders_add_history", asked)["code"] == "WRITE_UNCERTAIN"
    after = history(bench, shop, order_id)
    assert [(entry["source_name"], entry["note"]) for entry in after[len(before) :]] == [
        ("Warehouse", "Label printed")
    ] * 2


def test_an_order_is_found_by_exactly_its_source(shop: Shop, client: Client) -> None:
    order = succeed(client, "orders_get", {"order_id": shop.orders[0]})["order"]
    source = {"source_id": order["source_id"], "source_name": order["source_name"]}
    for asked in (source, {"source_id": order["source_id"]}):
        found = succeed(client, "orders_find", asked)
        assert (found["orders"], found["count"]) == ([order], 1)
    # The sandbox finds it regardless of case.
    assert succeed(client, "orders_find", {"source_id": order["source_id"].lower()})["orders"] == []
    assert succeed(client, "orders_find", {**source, "source_name": "Elsewhere"})["orders"] == []


def test_what_is_created_moved_and_deleted_counts_towards_the_tenant_s_cap_and_notes_do_not(start: StartBench) -> None:
    bench = start(DESTRUCTIVE_CAP_PER_HOUR="4")
    shop = bench.open_shop()
    orders = list(shop.orders)
    folder = other_folder(bench, shop, *orders[:4])
    with bench.connect(shop.tenant) as client:
        succeed(client, "orders_move", {"order_ids": orders[:2], "destination_folder_id": folder})
        succeed(client, "orders_create", {"order_data": order_data(shop)})
        since = bench.upstream.control.last_sequence()
        error = fail(client, "orders_move", {"order_ids": orders[2:4], "destination_folder_id": folder})
        assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "destructive_per_hour")
        assert bench.upstream.applied(shop.account, since) == []
        succeed(client, "orders_delete", {"order_id": orders[5]})
        item = bench.upstream.order(shop.account, orders[6])["order_items"][0]["id"]
        for tool, asked in (
            ("orders_delete", {"order_id": orders[6]}),
            ("order_items_delete", {"order_id": orders[6], "item_id": item}),
        ):
            assert fail(client, tool, asked)["code"] == "RATE_LIMIT_EXCEEDED"
        succeed(client, "orders_add_note", {"order_id": orders[6], "note": "Still there"})

from typing import Any

import pytest

from tests.unit.harness.sandbox.desk import Desk

TRACKED = {"tracking_number": "1Z1", "carrier_code": "UPS", "weight": "1.5", "cost": 7}


@pytest.fixture
def path(desk: Desk) -> str:
    """The path of an order without shipments."""
    unshipped = next(order for order in desk.ok("GET", "/orders")["orders"] if not order["order_shipments"])
    return f"/orders/{unshipped['id']}"


def test_items_are_listed_and_shown(desk: Desk, path: str) -> None:
    items = desk.ok("GET", f"{path}/order-items")["order_items"]
    assert items == desk.ok("GET", path)["order"]["order_items"]
    assert desk.ok("GET", f"{path}/order-items/{items[0]['id']}")["order_item"] == items[0]


def test_an_item_is_added_and_the_totals_follow(desk: Desk, path: str) -> None:
    before = desk.ok("GET", path)["order"]
    sent = {"name": "Ribbon", "price": 1.5, "quantity": 2, "weight": 0.1, "code": "RIB", "delivery_type": "noship"}
    added = desk.ok("POST", f"{path}/order-items", sent)["order_item"]
    assert {name: added[name] for name in sent} == sent
    assert (added["variation_list"], added["metadata"], added["category_code"]) == ([], [], "")
    after = desk.ok("GET", path)["order"]
    assert after["order_items"] == [*before["order_items"], added]
    assert after["product_total"] == pytest.approx(before["product_total"] + 3)
    assert after["order_total"] == pytest.approx(before["order_total"] + 3)
    assert after["quantity_total"] == before["quantity_total"] + 2
    assert after["date_updated"] > before["date_updated"]


def test_putting_an_item_blanks_what_is_left_out(desk: Desk, path: str) -> None:
    item = desk.ok("GET", f"{path}/order-items")["order_items"][0]
    desk.ok("PUT", f"{path}/order-items/{item['id']}", {"name": "Renamed", "quantity": 2})
    shown = desk.ok("GET", f"{path}/order-items/{item['id']}")["order_item"]
    assert (shown["id"], shown["name"], shown["quantity"]) == (item["id"], "Renamed", 2)
    assert (shown["price"], shown["code"], shown["weight"], shown["category_code"]) == (0, "", 0, "")


def test_an_item_is_deleted(desk: Desk, path: str) -> None:
    items = desk.ok("GET", f"{path}/order-items")["order_items"]
    desk.ok("DELETE", f"{path}/order-items/{items[0]['id']}")
    assert desk.ok("GET", f"{path}/order-items")["order_items"] == items[1:]
    assert desk.ok("GET", path)["order"]["quantity_total"] == sum(item["quantity"] for item in items[1:])


@pytest.mark.parametrize("delivery_type", ["ship", "noship", "download", "future"])
def test_each_delivery_type_is_taken(desk: Desk, path: str, delivery_type: str) -> None:
    sent = {"name": "x", "delivery_type": delivery_type}
    assert desk.ok("POST", f"{path}/order-items", sent)["order_item"]["delivery_type"] == delivery_type


@pytest.mark.parametrize("kind", ["order-items", "shipments"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_part_is_404(desk: Desk, path: str, kind: str, method: str) -> None:
    assert "Not Found" in desk.refused(method, f"{path}/{kind}/1", TRACKED if method == "PUT" else None, status=404)


def test_a_part_of_another_order_is_not_found(desk: Desk, path: str) -> None:
    other = next(order for order in desk.ok("GET", "/orders")["orders"] if not path.endswith(str(order["id"])))
    item = other["order_items"][0]
    assert desk.refused("GET", f"{path}/order-items/{item['id']}", status=404) == "Order Item Not Found"


def test_a_shipment_is_added_shown_updated_and_deleted(desk: Desk, path: str) -> None:
    added = desk.ok("POST", f"{path}/shipments", TRACKED)["shipment"]
    assert {name: added[name] for name in ("tracking_number", "carrier_code", "weight", "cost")} == {
        **TRACKED,
        "weight": 1.5,
    }
    assert added["order_id"] == path.rpartition("/")[2]
    assert desk.ok("GET", f"{path}/shipments")["shipments"] == [added]
    assert desk.ok("GET", path)["order"]["order_shipments"] == [added]
    desk.ok("PUT", f"{path}/shipments/{added['id']}", {"tracking_number": "1Z2"})
    shown = desk.ok("GET", f"{path}/shipments/{added['id']}")["shipment"]
    assert (shown["tracking_number"], shown["carrier_code"], shown["cost"]) == ("1Z2", "", 0)
    assert (shown["id"], shown["date_added"]) == (added["id"], added["date_added"])
    desk.ok("DELETE", f"{path}/shipments/{added['id']}")
    assert desk.ok("GET", f"{path}/shipments")["shipments"] == []


def test_a_duplicate_shipment_is_an_error_inside_200(desk: Desk, path: str) -> None:
    desk.ok("POST", f"{path}/shipments", TRACKED)
    assert desk.refused("POST", f"{path}/shipments", TRACKED) == "Shipment Not Added"
    assert len(desk.ok("GET", f"{path}/shipments")["shipments"]) == 1


def test_shipments_without_a_number_say_so_as_often_as_they_like(desk: Desk, path: str) -> None:
    for _ in range(2):
        desk.ok("POST", f"{path}/shipments", {"tracking_number": "n/a"})
    assert "tracking_number" in desk.refused("POST", f"{path}/shipments", {"carrier_code": "UPS"})
    assert len(desk.ok("GET", f"{path}/shipments")["shipments"]) == 2


def test_a_batch_of_shipments_answers_for_each_inside_200(desk: Desk, path: str) -> None:
    order = desk.ok("GET", path)["order"]
    batch: list[dict[str, Any]] = [
        {"order_id": order["id"], "tracking_number": "A"},
        {"order_id": order["id"], "tracking_number": "A"},
        {"source_id": order["source_id"], "source_name": order["source_name"], "tracking_number": "B"},
        {"source_id": order["source_id"], "source_name": "Somewhere else", "tracking_number": "C"},
        {"order_id": "1", "tracking_number": "D"},
        {"tracking_number": "E"},
        {"order_id": order["id"]},
    ]
    results = desk.ok("POST", "/batch-shipments", batch)["results"]
    assert [result["status"] for result in results] == ["success", "error", "success", *["error"] * 4]
    assert [result["message"] for result in results][1] == "Shipment Not Added"
    assert results[0]["order_id"] == order["id"]
    shipments = desk.ok("GET", f"{path}/shipments")["shipments"]
    assert [shipment["tracking_number"] for shipment in shipments] == ["A", "B"]
    assert [change["operation"] for change in desk.journal()[-2]["changes"]] == ["update", "update"]


@pytest.mark.parametrize("body", [{}, {"shipments": []}, [1]])
def test_a_batch_is_an_array_of_objects(desk: Desk, body: Any) -> None:
    assert "array" in desk.refused("POST", "/batch-shipments", body)

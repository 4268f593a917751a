from typing import Any

import pytest

from tests.unit.harness.sandbox.desk import Desk

PRODUCT: dict[str, Any] = {
    "name": "Oak Spoon",
    "code": "OAK-SPO",
    "price": "9.5",
    "cost": 3,
    "weight": 0.2,
    "stock": 12,
    "location": "Overflow",
    "update_source": "Test",
    "manufacturer_sku": "M-1",
    "variation_list": {"Size": "L"},
    "metadata": {},
}


def test_the_list_is_paged_and_its_total_is_text(desk: Desk) -> None:
    first = desk.ok("GET", "/inventory-items", params={"limit": 60})
    second = desk.ok("GET", "/inventory-items", params={"limit": 60, "offset": 60})
    assert (first["total_records"], first["records_returned"], second["records_returned"]) == ("100", 60, 40)
    codes = [item["code"] for page in (first, second) for item in page["inventory_items"]]
    assert len(set(codes)) == 100


def test_a_parameter_that_is_not_documented_filters_nothing(desk: Desk) -> None:
    assert desk.ok("GET", "/inventory-items", params={"search": "mug"})["total_records"] == "100"


def test_an_item_is_created_shown_and_deleted(desk: Desk) -> None:
    created = desk.ok("POST", "/inventory-items", PRODUCT)["inventory_item"]
    assert {name: created[name] for name in PRODUCT} == {**PRODUCT, "price": 9.5, "metadata": []}
    path = f"/inventory-items/{created['id']}"
    assert desk.ok("GET", path)["inventory_item"] == created
    assert desk.ok("GET", "/inventory-items?limit=500")["inventory_items"][-1] == created
    desk.ok("DELETE", path)
    for method in ("GET", "DELETE"):
        assert desk.refused(method, path, status=404) == "Inventory Item Not Found"


@pytest.mark.parametrize("name", ["name", "code"])
def test_a_name_and_a_code_are_required(desk: Desk, name: str) -> None:
    incomplete = {field: value for field, value in PRODUCT.items() if field != name}
    assert name in desk.refused("POST", "/inventory-items", incomplete)
    item = desk.ok("GET", "/inventory-items")["inventory_items"][0]
    assert name in desk.refused("PUT", f"/inventory-items/{item['id']}", incomplete)
    assert desk.ok("GET", f"/inventory-items/{item['id']}")["inventory_item"] == item


def test_putting_an_item_blanks_what_is_left_out(desk: Desk) -> None:
    item = desk.ok("GET", "/inventory-items")["inventory_items"][0]
    desk.ok("PUT", f"/inventory-items/{item['id']}", {"name": item["name"], "code": item["code"], "stock": 3})
    shown = desk.ok("GET", f"/inventory-items/{item['id']}")["inventory_item"]
    assert (shown["id"], shown["stock"]) == (item["id"], 3)
    assert (shown["price"], shown["location"], shown["variation_list"]) == (0, "", [])
    assert shown["date_updated"] > item["date_updated"]


def test_a_batch_of_whole_items_answers_for_each_inside_200(desk: Desk) -> None:
    first, second = desk.ok("GET", "/inventory-items")["inventory_items"][:2]
    batch = [{**first, "stock": 1}, {**second, "name": ""}, {**PRODUCT, "id": "5"}, PRODUCT]
    results = desk.ok("PUT", "/batch-inventory-items", batch)["results"]
    assert [result["status"] for result in results] == ["success", "error", "error", "error"]
    shown = desk.ok("GET", "/inventory-items")["inventory_items"]
    assert shown[0]["stock"] == 1
    assert shown[1:2] == [second]
    assert "array" in desk.refused("PUT", "/batch-inventory-items", {"inventory_items": batch})
    assert desk.api("POST", "/batch-inventory-items", json=batch).status_code == 405

import re
from datetime import datetime
from typing import Any

import orjson
import pytest

from harness.sandbox.catalogue import INVENTORY_ITEMS, Catalogue
from harness.sandbox.index import value_of
from harness.sandbox.query import EQUALITY_FILTERS
from harness.sandbox.shapes import ADDRESS, LONGEST_CHECKOUT_DATA, LONGEST_ORDER_METADATA, LONGEST_ORDER_NOTES

DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
FIELDS = {
    *("id", "email", "shipping_method", "quantity_total", "weight_total", "product_total", "shipping_total"),
    *("handling_total", "tax_total", "discount_total", "order_total", "refund_total", "cc_number_masked", "cc_exp"),
    *("processor_response", "payment_type", "payment_status", "processor_balance", "customer_id", "email_count"),
    *("ip_address", "tag_name", "tag_color", "source_name", "source_id", "fulfillment_name", "fulfillment_id"),
    *("folder_id", "date_added", "date_updated", "shipping", "customer", "return_address", "checkout_data"),
    *("order_metadata", "discount_list", "order_notes", "order_items", "order_shipments"),
}
ITEM_FIELDS = {
    *("id", "name", "price", "quantity", "weight", "code", "delivery_type", "category_code", "variation_list"),
    "metadata",
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return Catalogue(seed=1, store=0, orders=500)


@pytest.fixture(scope="module")
def orders(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [catalogue.order(number) for number in range(500)]


def test_an_order_has_every_field_that_orderdesk_shows(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        assert set(order) == FIELDS
        assert set(order["shipping"]) == set(order["customer"]) == set(ADDRESS)
        assert all(set(item) == ITEM_FIELDS for item in order["order_items"])


def test_the_same_seed_gives_the_same_bytes() -> None:
    def everything() -> bytes:
        catalogue, numbers = Catalogue(seed=42, store=1, orders=50), range(50)
        orders_and_histories = [*map(catalogue.order, numbers), *map(catalogue.history, numbers)]
        return orjson.dumps([*orders_and_histories, *catalogue.inventory()])

    assert everything() == everything()


def test_another_seed_gives_another_catalogue(catalogue: Catalogue) -> None:
    assert Catalogue(seed=2, store=0, orders=500).order(7) != catalogue.order(7)


def test_no_id_of_one_store_occurs_in_another() -> None:
    def ids(store: int) -> set[str]:
        catalogue = Catalogue(seed=1, store=store, orders=100)
        shown = [catalogue.order(number) for number in range(100)]
        own = {order[field] for order in shown for field in ("id", "source_id", "customer_id", "folder_id")}
        parts = {part["id"] for order in shown for part in (*order["order_items"], *order["order_shipments"])}
        return {str(value) for value in (*own, *parts, *(item["id"] for item in catalogue.inventory()))}

    assert ids(0).isdisjoint(ids(1))


def test_items_and_shipments_have_ids_of_their_own(orders: list[dict[str, Any]], catalogue: Catalogue) -> None:
    ids = [int(part["id"]) for order in orders for part in (*order["order_items"], *order["order_shipments"])]
    assert len(ids) == len(set(ids))
    assert max(ids) < catalogue.first_part_id


def test_totals_follow_from_items_charges_and_discounts(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        items = order["order_items"]
        assert order["quantity_total"] == sum(item["quantity"] for item in items)
        assert order["weight_total"] == pytest.approx(sum(item["weight"] * item["quantity"] for item in items))
        assert order["product_total"] == pytest.approx(sum(item["price"] * item["quantity"] for item in items))
        assert order["discount_total"] == sum(discount["amount"] for discount in order["discount_list"])
        charges = order["shipping_total"] + order["handling_total"] + order["tax_total"]
        assert order["order_total"] == pytest.approx(order["product_total"] + charges - order["discount_total"])


def test_the_variety_that_clients_stumble_over_is_there(orders: list[dict[str, Any]]) -> None:
    assert {type(order["id"]) for order in orders} == {str, int}
    for name in ("checkout_data", "order_metadata", "return_address"):
        assert [] in [order[name] for order in orders]
        assert any(isinstance(order[name], dict) for order in orders)
        assert {} not in [order[name] for order in orders]
    for name in ("order_notes", "discount_list", "order_shipments"):
        assert any(order[name] for order in orders)
        assert not all(order[name] for order in orders)
    assert any(order["shipping"] != order["customer"] for order in orders)
    assert any(not order["customer"]["first_name"].isascii() for order in orders)
    assert len({order["email"] for order in orders}) < len(orders)
    assert {order["source_name"] for order in orders} >= {"Shopify", "Etsy"}


def test_nobody_real_can_be_reached(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        assert re.search(r"@(mail\.)?example\.(com|net|org)$", order["email"])
        assert order["ip_address"].startswith("192.0.2.")
        assert " 555 01" in order["customer"]["phone"]


def test_dates_are_utc_text_and_follow_the_ids(orders: list[dict[str, Any]]) -> None:
    added = [order["date_added"] for order in orders]
    assert all(DATE.fullmatch(order[name]) for order in orders for name in ("date_added", "date_updated"))
    assert added == sorted(added)
    assert all(order["date_updated"] >= order["date_added"] for order in orders)
    assert datetime.fromisoformat(added[-1]).year == 2026


def test_what_the_catalogue_holds_is_within_orderdesks_limits(orders: list[dict[str, Any]]) -> None:
    for order in orders:
        assert len(orjson.dumps(order["checkout_data"])) <= LONGEST_CHECKOUT_DATA
        assert len(orjson.dumps(order["order_metadata"])) <= LONGEST_ORDER_METADATA
        assert len(orjson.dumps(order["order_notes"])) <= LONGEST_ORDER_NOTES


def test_the_index_columns_say_what_the_orders_say(catalogue: Catalogue, orders: list[dict[str, Any]]) -> None:
    for field in (*EQUALITY_FILTERS.values(), "folder_id", "date_added", "date_updated"):
        assert catalogue.column(field) == [value_of(order, field) for order in orders], field
    assert catalogue.column("order_total") is None


def test_inventory_has_some_of_the_ordered_products(catalogue: Catalogue, orders: list[dict[str, Any]]) -> None:
    inventory = {item["code"] for item in catalogue.inventory()}
    ordered = {item["code"] for order in orders for item in order["order_items"]}
    assert len(inventory) == INVENTORY_ITEMS
    assert inventory & ordered
    assert ordered - inventory
    assert {type(item["id"]) for item in catalogue.inventory()} == {str, int}


def test_an_order_does_not_depend_on_which_were_asked_for_before(orders: list[dict[str, Any]]) -> None:
    assert Catalogue(seed=1, store=0, orders=500).order(321) == orders[321]


def test_an_empty_catalogue_is_possible() -> None:
    catalogue = Catalogue(seed=1, store=0, orders=0)
    assert catalogue.column("email") == []
    assert len(list(catalogue.inventory())) == INVENTORY_ITEMS

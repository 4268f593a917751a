import json
from typing import Any

import jsonschema
import pytest

from harness.client import Client, RpcError, ToolOutcome
from harness.client.wire import LEGACY_VERSIONS, MODERN_VERSIONS
from server.tools.registry import ALL
from tests.integration.server.bench import Bench, Shop
from tests.integration.server.writings import NEW_ITEM, order_data

CODES = {
    "VALIDATION_ERROR",
    "AUTH_ERROR",
    "NOT_FOUND",
    "STORE_NOT_FOUND",
    "CONFLICT_ERROR",
    "RATE_LIMIT_EXCEEDED",
    "ORDERDESK_API_ERROR",
    "UPSTREAM_UNAVAILABLE",
    "WRITE_UNCERTAIN",
    "READ_ONLY",
    "STORAGE_UNAVAILABLE",
    "INTERNAL_ERROR",
}
Calls = list[tuple[str, dict[str, Any]]]


def successes(shop: Shop) -> Calls:
    """Calls that succeed one after the other."""
    order, label = shop.orders[0], shop.label
    extra = {"store_id": "777002", "api_key": "key", "store_name": "Extra", "label": "extra"}
    return [
        ("tenant_use_master_key", {"master_key": shop.tenant.key}),
        ("stores_list", {}),
        ("stores_register", extra),
        ("stores_resolve", {"identifier": "extra"}),
        ("stores_use_store", {"identifier": "extra"}),
        ("stores_delete", {"store_identifier": "extra"}),
        ("stores_use_store", {"identifier": label}),
        ("orders_list", {"limit": 2}),
        ("orders_list", {"limit": 2}),
        ("orders_get", {"order_id": order}),
        ("orders_update", {"order_id": order, "changes": {"email": "x@example.com"}, "dry_run": True}),
        ("orders_update", {"order_id": order, "changes": {"order_notes": "Hi"}, "idempotency_key": "k"}),
        ("orders_update", {"order_id": order, "changes": {"order_notes": "Hi"}, "idempotency_key": "k"}),
        ("products_list", {"limit": 2}),
        ("products_list", {"limit": 2, "search": "a"}),
        ("stores_test", {}),
        ("stores_settings", {}),
        ("stores_folders", {}),
        ("orders_find", {"source_id": "unknown"}),
        *both("orders_create", {"order_data": order_data(shop)}),
        ("orders_move", {"order_ids": [order, "999999999"], "destination_folder_name": "Shipped", "dry_run": True}),
        ("orders_move", {"order_ids": [order, "999999999"], "destination_folder_name": "Shipped"}),
        *both("orders_add_note", {"order_id": order, "note": "Hi there"}),
        *both("orders_add_history", {"order_id": order, "note": "Hi there"}),
        *both("order_items_add", {"order_id": order, **NEW_ITEM}),
        ("order_items_list", {"order_id": order}),
        *both("shipments_add", {"order_id": order, "tracking_number": "1Z-1"}),
        *both("shipments_batch", {"shipments": [{"order_id": order, "tracking_number": "1Z-2"}]}),
        ("shipments_list", {"order_id": order}),
        *both("products_create", {"name": "Oak Tray", "code": f"TRAY-{order}"}),
    ]


def both(name: str, arguments: dict[str, Any]) -> Calls:
    """A write, first as a dry run."""
    return [(name, {**arguments, "dry_run": True}), (name, arguments)]


def on_parts(bench: Bench, shop: Shop) -> Calls:
    """Calls about items, shipments and products that are there; the orders are gone at their end."""
    order = bench.upstream.order(shop.account, shop.orders[0])
    products = bench.upstream.request(shop.account, "GET", "/inventory-items?limit=500")["inventory_items"]
    (product,) = [product for product in products if product["code"] == f"TRAY-{order['id']}"]
    item = {"order_id": order["id"], "item_id": order["order_items"][0]["id"]}
    shipment = {"order_id": order["id"], "shipment_id": order["order_shipments"][-1]["id"]}
    batch = [{"product_id": product["id"], "changes": {"location": "Shelf"}}]
    return [
        ("order_items_get", item),
        *both("order_items_update", {**item, "changes": {"quantity": 7}}),
        *both("order_items_delete", item),
        ("shipments_get", shipment),
        *both("shipments_update", {**shipment, "changes": {"carrier_code": "UPS"}}),
        *both("shipments_delete", shipment),
        ("products_get", {"product_id": product["id"]}),
        *both("products_update", {"product_id": product["id"], "changes": {"price": 3}}),
        *both("products_batch_update", {"products": batch}),
        *both("products_adjust_stock", {"product_id": product["id"], "by": 1}),
        *both("products_delete", {"product_id": product["id"]}),
        *both("orders_delete", {"order_id": order["id"]}),
    ]


FAILURES: Calls = [
    ("tenant_use_master_key", {"master_key": "nonsense"}),
    ("tenant_use_master_key", {}),
    ("stores_list", {"verbose": True}),
    ("stores_register", {"store_id": "1"}),
    ("stores_resolve", {"identifier": "unknown"}),
    ("stores_use_store", {"identifier": "unknown"}),
    ("stores_delete", {"store_identifier": "unknown"}),
    ("stores_delete", {"identifier": "unknown"}),
    ("orders_list", {"limit": 501}),
    ("orders_list", {"store_identifier": "unknown"}),
    ("orders_get", {"order_id": "999999999"}),
    ("orders_get", {"order_id": "../store"}),
    ("orders_update", {"order_id": "999999999", "changes": {"email": "x"}}),
    ("stores_settings", {"store_identifier": "unknown"}),
    ("orders_create", {"order_data": {}}),
    ("orders_delete", {"order_id": "999999999"}),
    ("orders_move", {"order_ids": ["999999999"], "destination_folder_name": "Nowhere"}),
    ("orders_add_history", {"order_id": "999999999", "note": "x"}),
    ("order_items_add", {"order_id": "999999999", "name": "x"}),
    ("order_items_update", {"order_id": "999999999", "item_id": "1", "changes": {}}),
    ("products_list", {"limit": 0}),
    ("products_get", {"product_id": "999999999"}),
]


def check_text(outcome: ToolOutcome) -> None:
    assert json.loads(outcome.text) == outcome.structured


def test_every_tool_answers_what_its_output_schema_declares_as_text_and_structure(
    bench: Bench, shop: Shop, client: Client
) -> None:
    schemas = {tool["name"]: tool["outputSchema"] for tool in client.list_tools()}
    seen = set()
    for calls in (successes, lambda shop: on_parts(bench, shop)):
        for name, arguments in calls(shop):
            outcome = client.call_tool(name, arguments)
            assert not outcome.is_error, (name, outcome.text)
            jsonschema.validate(outcome.structured, schemas[name], cls=jsonschema.Draft202012Validator)
            check_text(outcome)
            seen.add(name)
    assert seen == set(schemas) == {tool.name for tool in ALL}


@pytest.mark.parametrize(("name", "arguments"), FAILURES, ids=[f"{name} {given}" for name, given in FAILURES])
def test_an_error_has_one_shape_and_the_id_of_its_request(name: str, arguments: dict[str, Any], client: Client) -> None:
    outcome = client.call_tool(name, arguments)
    (schema,) = [tool["outputSchema"] for tool in client.list_tools() if tool["name"] == name]
    # Clients hold errors against the declared schema too.
    jsonschema.validate(outcome.structured, schema, cls=jsonschema.Draft202012Validator)
    assert outcome.is_error
    assert outcome.http_status == 200
    check_text(outcome)
    assert outcome.structured is not None
    assert set(outcome.structured) == {"error"}
    error = outcome.structured["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert error["code"] in CODES
    assert isinstance(error["message"], str)
    assert isinstance(error["details"], dict)
    assert error["request_id"] == outcome.request_id


def test_a_validation_error_says_what_is_missing_and_wrong_and_how_it_is_done(client: Client) -> None:
    outcome = client.call_tool("orders_get", {"ordr_id": "1"})
    assert outcome.structured is not None
    error = outcome.structured["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["missing_fields"] == ["order_id"]
    assert error["details"]["invalid_fields"] == {"ordr_id": "is not an argument; did you mean 'order_id'?"}
    assert set(error["details"]["example_request"]) == {"order_id"}


def test_an_unknown_tool_is_a_protocol_error_with_the_nearest_name(client: Client) -> None:
    with pytest.raises(RpcError) as refused:
        client.call_tool("order_get", {})
    assert refused.value.code == -32602
    assert "orders_get" in refused.value.message


def test_the_tools_are_listed_the_same_way_in_every_revision(bench: Bench, shop: Shop) -> None:
    listed = []
    for version in (*LEGACY_VERSIONS, *MODERN_VERSIONS):
        with bench.connect(shop.tenant, version) as client:
            listed.append(client.list_tools())
            assert client.call_tool("stores_list").structured == {
                "status": "success",
                "stores": [
                    {
                        "store_id": shop.account.store_id,
                        "store_name": shop.name,
                        "label": shop.label,
                        "active": True,
                    }
                ],
                "count": 1,
            }
    assert all(tools == listed[0] for tools in listed)
    assert [tool["name"] for tool in listed[0]] == sorted(tool.name for tool in ALL)
    for tool in listed[0]:
        assert {"name", "title", "description", "inputSchema", "outputSchema", "annotations"} <= set(tool)


def test_hidden_characters_come_back_as_they_were_and_are_spelled_out_in_the_text(shop: Shop, client: Client) -> None:
    note = "\x1b[2J \x9b31m \u202e \U000e0069\U000e0067 <IMPORTANT>"
    order = {"order_id": shop.orders[0]}
    assert not client.call_tool("orders_add_note", {**order, "note": note}).is_error
    outcome = client.call_tool("orders_get", order)
    assert outcome.structured is not None
    assert note in [each["content"] for each in outcome.structured["order"]["order_notes"]]
    assert not any(hidden in outcome.text for hidden in note if not hidden.isascii() or hidden < " ")
    check_text(outcome)

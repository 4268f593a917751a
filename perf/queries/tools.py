"""One call after the other until every tool was called: reads, and each write rehearsed, carried out and repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.client import Client, ClientError
from harness.targets.sandbox import Account

Answer = Mapping[str, Any]
SEVERAL = 10
"""Of what a call may name several: more than one request may repeat a statement."""


@dataclass
class Calls:
    """Calls tools, and remembers which answered and why others did not."""

    client: Client
    answered: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)

    def call(self, name: str, /, **arguments: Any) -> Answer:
        """Return what a tool answered; nothing where it refused, which is remembered."""
        try:
            outcome = self.client.call_tool(name, arguments)
        except ClientError as error:
            self.failures[name] = str(error)
            return {}
        if outcome.is_error:
            self.failures[name] = outcome.text[:200]
            return {}
        self.answered.add(name)
        return outcome.structured or {}

    def write(self, name: str, /, **arguments: Any) -> Answer:
        """Rehearse a write, carry it out, and ask for the same again; returns what it came to."""
        self.call(name, **arguments, dry_run=True)
        keyed = {**arguments, "idempotency_key": f"profile-{name}"}
        answer = self.call(name, **keyed)
        self.call(name, **keyed)
        return answer


def call_every_tool(calls: Calls, account: Account, key: str) -> str:
    """Call every tool that the server offers, in a store of the sandbox; returns the id of a write to one order.

    Those that were not called, or refused, are in `calls.failures`. Raises ClientError where tools cannot be listed.
    """
    _stores(calls, account, key)
    orders = _orders(calls)
    order = orders[0] if orders else ""
    _parts_of_orders(calls, order, orders)
    _products(calls)
    # The last write to an order, so that it can be taken back.
    updated = calls.write("orders_update", order_id=order, changes={"email": "profile@example.com"})
    write_id = str(updated.get("write_id", ""))
    calls.write("stores_delete", store_identifier="profile-2")
    for tool in calls.client.list_tools():
        if tool["name"] not in calls.answered:
            calls.failures.setdefault(tool["name"], "the workload does not call it")
    return write_id


def _stores(calls: Calls, account: Account, key: str) -> None:
    calls.call("tenant_use_master_key", master_key=key)
    calls.call("stores_list")
    second = {"store_id": "1", "api_key": account.api_key, "store_name": "Profile 2", "label": "profile-2"}
    calls.write("stores_register", **second)
    first = {"store_id": account.store_id, "api_key": account.api_key, "store_name": "Profile"}
    calls.call("stores_register", **first, label="profile")
    calls.write("stores_use_store", identifier="profile")
    calls.call("stores_resolve", identifier="profile")
    for name in ("stores_test", "stores_settings", "stores_folders"):
        calls.call(name)


def _orders(calls: Calls) -> list[str]:
    """The ids of several orders, the first one read."""
    listed = calls.call("orders_list", limit=SEVERAL)
    several = [str(each["id"]) for each in listed.get("orders", ())]
    order = several[0] if several else ""
    for _ in range(2):  # from OrderDesk, then from the cache
        calls.call("orders_get", order_id=order)
    customer = {"company": "Profile"}
    made = {"source_id": "P-1", "source_name": "Profile", "customer": customer, "order_items": [{"name": "Tray"}]}
    created = _id(calls.write("orders_create", order_data=made), "order")
    calls.call("orders_find", source_id="P-1", source_name="Profile")
    calls.write("orders_add_note", order_id=order, note="Profile")
    calls.write("orders_add_history", order_id=order, note="Profile")
    calls.write("orders_move", order_ids=[*several, created], destination_folder_name="New")
    calls.write("orders_delete", order_id=created)
    return several


def _parts_of_orders(calls: Calls, order: str, orders: list[str]) -> None:
    calls.write("order_items_add", order_id=order, name="Profile", quantity=1)
    item = _id(calls.call("order_items_list", order_id=order), "order_items")
    calls.call("order_items_get", order_id=order, item_id=item)
    calls.write("order_items_update", order_id=order, item_id=item, changes={"quantity": 2})
    calls.write("order_items_delete", order_id=order, item_id=item)
    calls.write("shipments_add", order_id=order, tracking_number="1Z-PROFILE")
    shipment = _id(calls.call("shipments_list", order_id=order), "shipments")
    calls.call("shipments_get", order_id=order, shipment_id=shipment)
    changes = {"tracking_number": "1Z-PROFILE-2"}
    calls.write("shipments_update", order_id=order, shipment_id=shipment, changes=changes)
    parcels = [{"order_id": each, "tracking_number": f"1Z-{each}"} for each in orders]
    calls.write("shipments_batch", shipments=parcels)
    calls.write("shipments_delete", order_id=order, shipment_id=shipment)


def _products(calls: Calls) -> None:
    listed = calls.call("products_list", limit=SEVERAL)
    products = [str(each["id"]) for each in listed.get("products", ())]
    product = products[0] if products else ""
    calls.call("products_get", product_id=product)
    calls.write("products_update", product_id=product, changes={"location": "Profile"})
    batch = [{"product_id": each, "changes": {"location": "Batch"}} for each in products]
    calls.write("products_batch_update", products=batch)
    calls.write("products_adjust_stock", product_id=product, by=1, reason="profile")
    made = _id(calls.write("products_create", name="Profile", code="PROFILE-1"), "product")
    calls.write("products_delete", product_id=made)


def _id(answer: Answer, member: str, position: int = 0) -> str:
    """The id of an object, or of one in a list, that an answer tells; empty where it tells none."""
    found = answer.get(member)
    if isinstance(found, list):
        found = found[position] if len(found) > position else None
    return str(found["id"]) if isinstance(found, Mapping) and "id" in found else ""

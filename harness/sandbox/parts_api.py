"""The API's calls on the parts of an order: items and shipments, and shipments of many orders at once."""

from harness.sandbox import shapes
from harness.sandbox.call import Call, success
from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record, text
from harness.sandbox.index import OneOf, Selection, key
from harness.sandbox.orders_api import touch
from harness.sandbox.shapes import NO_TRACKING_NUMBER


def list_items(call: Call) -> bytes:
    """GET /orders/{order_id}/order-items."""
    return success(order_items=call.store.orders.get(call.ids[0])["order_items"])


def get_item(call: Call) -> bytes:
    """GET /orders/{order_id}/order-items/{item_id}."""
    return success(order_item=_part(call, "order_items"))


def create_item(call: Call) -> bytes:
    """POST /orders/{order_id}/order-items."""
    items = call.store.orders.get(call.ids[0])["order_items"]
    created = shapes.item(call.body(), str(call.store.new_part_id()))
    touch(call, call.ids[0], order_items=[*items, created])
    return success("Order Item Added", order_item=created)


def update_item(call: Call) -> bytes:
    """PUT /orders/{order_id}/order-items/{item_id}: the whole item, blank where the body leaves something out."""
    updated = shapes.item(call.body(), _part(call, "order_items")["id"])
    _replace(call, "order_items", updated)
    return success("Order Item Updated", order_item=updated)


def delete_item(call: Call) -> bytes:
    """DELETE /orders/{order_id}/order-items/{item_id}."""
    _part(call, "order_items")
    _replace(call, "order_items", None)
    return success("Order Item Deleted")


def list_shipments(call: Call) -> bytes:
    """GET /orders/{order_id}/shipments."""
    return success(shipments=call.store.orders.get(call.ids[0])["order_shipments"])


def get_shipment(call: Call) -> bytes:
    """GET /orders/{order_id}/shipments/{shipment_id}."""
    return success(shipment=_part(call, "order_shipments"))


def create_shipment(call: Call) -> bytes:
    """POST /orders/{order_id}/shipments. One whose tracking number the order has already is refused."""
    return success("Shipment Added", shipment=_add_shipment(call, call.ids[0], call.body()))


def update_shipment(call: Call) -> bytes:
    """PUT /orders/{order_id}/shipments/{shipment_id}: the whole shipment."""
    before = _part(call, "order_shipments")
    updated = shapes.shipment(
        call.body(), shipment_id=before["id"], order_id=before["order_id"], date_added=before["date_added"]
    )
    _replace(call, "order_shipments", updated)
    return success("Shipment Updated", shipment=updated)


def delete_shipment(call: Call) -> bytes:
    """DELETE /orders/{order_id}/shipments/{shipment_id}."""
    _part(call, "order_shipments")
    _replace(call, "order_shipments", None)
    return success("Shipment Deleted")


def batch_shipments(call: Call) -> bytes:
    """POST /batch-shipments: each entry names its order by order_id, or by source_id and source_name."""
    return success(results=[_batched(call, entry) for entry in call.body_list()])


def _batched(call: Call, entry: Record) -> Record:
    named: Record = {name: entry[name] for name in ("order_id", "source_id", "source_name") if name in entry}
    try:
        created = _add_shipment(call, _named_order(call, entry), entry)
    except RefusedError as refused:
        return {"status": "error", "message": str(refused), **named}
    return {"status": "success", "message": "Shipment Added", **named, "shipment_id": created["id"]}


def _named_order(call: Call, entry: Record) -> str:
    if order_id := text(entry, "order_id"):
        return order_id
    filters = [
        OneOf(name, frozenset([key(text(entry, name))])) for name in ("source_id", "source_name") if text(entry, name)
    ]
    if not text(entry, "source_id"):
        raise RefusedError("order_id or source_id is required")
    _, found = call.store.orders.page(Selection(tuple(filters)), offset=0, limit=1)
    if not found:
        raise RefusedError("Order Not Found")
    return str(found[0])


def _add_shipment(call: Call, order_id: str, body: Record) -> Record:
    order = call.store.orders.get(order_id)
    created = shapes.shipment(body, shipment_id=call.store.new_part_id(), order_id=order["id"], date_added=call.now)
    # "n/a" stands for parcels without a number, of which an order may have several.
    if created["tracking_number"] != NO_TRACKING_NUMBER and any(
        shipment["tracking_number"] == created["tracking_number"] for shipment in order["order_shipments"]
    ):
        raise RefusedError("Shipment Not Added")
    touch(call, order_id, order_shipments=[*order["order_shipments"], created])
    return created


def _part(call: Call, parts: str) -> Record:
    """The part of an order that the path names. Raises RefusedError (404)."""
    for part in call.store.orders.get(call.ids[0])[parts]:
        if str(part["id"]) == call.ids[1]:
            found: Record = part
            return found
    raise RefusedError("Order Item Not Found" if parts == "order_items" else "Shipment Not Found", 404)


def _replace(call: Call, parts: str, replacement: Record | None) -> None:
    changed = [
        replacement if str(part["id"]) == call.ids[1] else part for part in call.store.orders.get(call.ids[0])[parts]
    ]
    touch(call, call.ids[0], **{parts: [part for part in changed if part is not None]})

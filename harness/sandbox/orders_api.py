"""The API's calls on whole orders: list, get, create, update, delete, history, move."""

import contextlib
from typing import Any

import orjson

from harness.sandbox import query, shapes
from harness.sandbox.call import TOOK, Call, fragments, success
from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record, records, text
from harness.sandbox.store import Store

GET_PREFIX = b'{"status":"success","message":"' + TOOK.encode() + b'","order":'
NAMES = ("first_name", "last_name", "company")


def list_orders(call: Call) -> bytes:
    """GET /orders."""
    asked, store = query.parameters(call.query), call.store
    page, selection = query.page(asked), query.selection(asked, store.catalogue.folders)
    total, ids = store.orders.page(selection, offset=page.offset, limit=page.limit)
    bodies = [store.orders.body(order_id) for order_id in ids]
    if asked.get("get_order_history") == "1":
        bodies = [_with_history(store, body) for body in bodies]
    return success(
        total_records=total,
        records_returned=len(ids),
        offset=page.offset,
        limit=page.limit,
        orders=fragments(bodies),
    )


def get_order(call: Call) -> bytes:
    """GET /orders/{order_id}."""
    return GET_PREFIX + call.store.orders.body(call.ids[0]) + b"}"


def create_order(call: Call) -> bytes:
    """POST /orders. Refused without items, without a name, or when source_id and source_name are an order's already."""
    body, store = call.body(), call.store
    # Ids of another order's items, as a copied order has them, mean nothing here.
    items = [{**item, "id": None} for item in records(body, "order_items")]
    if not items:
        raise RefusedError("order_items is required")
    if not any(_part(body, person, name) for person in ("customer", "shipping") for name in NAMES):
        raise RefusedError("A first_name, last_name or company is required in customer or shipping")
    source_name, source_id = text(body, "source_name"), text(body, "source_id")
    if source_id and (existing := store.orders.with_source(source_name, source_id)):
        raise RefusedError(f"Order already exists: {existing[0]}")
    kept: Record = {
        "id": str(store.orders.new_id()),
        "email_count": 0,
        "folder_id": _destination(store, body.get("folder_id"), body.get("folder_name"))
        or next(iter(store.catalogue.folders)),
        "date_added": call.now,
        "order_items": [],
        "order_shipments": [],
    }
    created = shapes.order({**body, "order_items": items}, kept=kept, now=call.now, next_item_id=store.new_part_id)
    store.orders.create(created)
    return success(f"Order {created['id']} Added", order=created)


def update_order(call: Call) -> bytes:
    """PUT /orders/{order_id}: the whole order, blank where the body leaves something out.

    An item with an id is updated, one without is added, one left out is gone. Shipments and the folder stay.
    """
    store = call.store
    before = store.orders.get(call.ids[0])
    updated = shapes.order(call.body(), kept=before, now=call.now, next_item_id=store.new_part_id)
    store.orders.update(updated)
    return success(f"Order {updated['id']} Updated", order=updated)


def delete_order(call: Call) -> bytes:
    """DELETE /orders/{order_id}."""
    call.store.orders.delete(call.ids[0])
    return success(f"Order {call.ids[0]} Deleted")


def add_history(call: Call) -> bytes:
    """POST /orders/{order_id}/order-history."""
    body = call.body()
    note = text(body, "note")
    if not note:
        raise RefusedError("note is required")
    add_history_entry(call, call.ids[0], source_name=text(body, "source_name") or "API", note=note)
    touch(call, call.ids[0])
    return success("Order History Added")


def move_orders(call: Call) -> bytes:
    """POST /move-orders. A rule of each folder notes the move in the order's history: moving has side effects."""
    body, store = call.body(), call.store
    destination = _destination(store, body.get("destination_folder_id"), body.get("destination_folder_name"))
    if destination is None:
        raise RefusedError("destination_folder_id or destination_folder_name is required")
    order_ids = body.get("order_id_list")
    if not isinstance(order_ids, list) or not order_ids:
        raise RefusedError("order_id_list is required")
    return success(results=[_move(call, order_id, destination) for order_id in order_ids])


def add_history_entry(call: Call, order_id: str, *, source_name: str, note: str) -> None:
    """Append to an order's history. Raises RefusedError when the order is not there or its history is full."""
    entry = {"date_added": call.now, "source_name": source_name, "note": note}
    call.store.orders.add_history(order_id, entry)


def touch(call: Call, order_id: str, **changed: Any) -> None:
    """Write an order with some fields changed, its totals and its date_updated kept right."""
    order = call.store.orders.get(order_id)
    call.store.orders.update(shapes.with_totals({**order, **changed, "date_updated": call.now}))


def _move(call: Call, order_id: Any, destination: int) -> Record:
    known = str(order_id)
    try:
        original = call.store.orders.get(known)["folder_id"]
        touch(call, known, folder_id=destination)
    except RefusedError as refused:
        return {"order_id": order_id, "message": str(refused), "original_folder_id": None}
    with contextlib.suppress(RefusedError):  # a full history does not stop a move
        note = f"Moved to {call.store.catalogue.folders[destination]}"
        add_history_entry(call, known, source_name="Folder Rules", note=note)
    return {"order_id": order_id, "message": "Order Moved", "original_folder_id": original}


def _destination(store: Store, folder_id: Any, folder_name: Any) -> int | None:
    if folder_id in (None, "") and folder_name in (None, ""):
        return None
    for number, name in store.catalogue.folders.items():
        if str(number) == str(folder_id) or (folder_id in (None, "") and name == folder_name):
            return number
    raise RefusedError("Folder Not Found")


def _part(body: Record, person: str, name: str) -> str:
    given = body.get(person)
    return text(given, name) if isinstance(given, dict) else ""


def _with_history(store: Store, body: bytes) -> bytes:
    order = orjson.loads(body)
    return orjson.dumps({**order, "order_history": store.orders.history(order["id"])})

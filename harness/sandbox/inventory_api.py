"""The API's calls on inventory items, one or many at a time."""

from harness.sandbox import query, shapes
from harness.sandbox.call import Call, success
from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record, text


def list_inventory_items(call: Call) -> bytes:
    """GET /inventory-items. OrderDesk's pages promise no filter here, so there is none; total_records is a string."""
    page, items = query.page(query.parameters(call.query)), call.store.inventory.all()
    shown = items[page.offset : page.offset + page.limit]
    return success(
        total_records=str(len(items)),
        records_returned=len(shown),
        offset=page.offset,
        limit=page.limit,
        inventory_items=shown,
    )


def get_inventory_item(call: Call) -> bytes:
    """GET /inventory-items/{item_id}."""
    return success(inventory_item=call.store.inventory.get(call.ids[0]))


def create_inventory_item(call: Call) -> bytes:
    """POST /inventory-items. Refused without a name and a code."""
    created = shapes.inventory_item(call.body(), item_id=call.store.inventory.new_id(), now=call.now)
    call.store.inventory.create(created)
    return success("Inventory Item Added", inventory_item=created)


def update_inventory_item(call: Call) -> bytes:
    """PUT /inventory-items/{item_id}: the whole item, blank where the body leaves something out."""
    return success("Inventory Item Updated", inventory_item=_update(call, call.ids[0], call.body()))


def delete_inventory_item(call: Call) -> bytes:
    """DELETE /inventory-items/{item_id}."""
    call.store.inventory.delete(call.ids[0])
    return success("Inventory Item Deleted")


def batch_inventory_items(call: Call) -> bytes:
    """PUT /batch-inventory-items: whole items, each with its id, in a bare array."""
    return success(results=[_batched(call, entry) for entry in call.body_list()])


def _batched(call: Call, entry: Record) -> Record:
    item_id = text(entry, "id")
    try:
        _update(call, item_id, entry)
    except RefusedError as refused:
        return {"status": "error", "message": str(refused), "id": item_id}
    return {"status": "success", "message": "Inventory Item Updated", "id": item_id}


def _update(call: Call, item_id: str, body: Record) -> Record:
    before = call.store.inventory.get(item_id)
    updated = shapes.inventory_item(body, item_id=before["id"], now=call.now)
    call.store.inventory.update(updated)
    return updated

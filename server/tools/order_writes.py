"""The tools that create, delete and move orders, and that add to their notes and history."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from server.errors import ArgumentsError
from server.orderdesk.append import HISTORY_ENTRY, Append
from server.orderdesk.change import Change
from server.orderdesk.create import Create, target
from server.orderdesk.kinds import ORDER, Reference
from server.orderdesk.move import Move
from server.orderdesk.new_order import new_order
from server.orderdesk.remove import Remove
from server.orderdesk.sources import find_by_source
from server.tools.call import Call
from server.tools.declaration import (
    Identifier,
    Result,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.tools.orders import STORE, OrderWritten
from server.writes.operation import Operation

MOST_MOVED: Final = 25
NEW_ORDER: Final[dict[str, Any]] = {
    "source_id": "W-1001",
    "source_name": "Phone",
    "email": "ada@example.com",
    "customer": {"first_name": "Ada", "last_name": "Example"},
    "shipping": {"first_name": "Ada", "last_name": "Example", "address1": "1 High Street", "city": "Leeds"},
    "order_items": [{"name": "Oak Tray", "code": "TRAY-1", "price": 24.5, "quantity": 2}],
}

Folder = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(min_length=1, max_length=2_000)]


class CreateOrder(WriteArguments):
    order_data: dict[str, Any] = Field(
        description=(
            "The order: order_items and a first_name, last_name or company in customer or shipping are needed. "
            "Fields as orders_get shows them"
        )
    )
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class OneOrder(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class AddNote(OneOrder):
    note: Note = Field(description="The text; one that the order has already is not added again")
    username: str | None = Field(None, min_length=1, max_length=100, description="Who writes it; System unless told")


class AddHistory(OneOrder):
    note: Note = Field(description="The text")
    source_name: str | None = Field(None, min_length=1, max_length=100, description="Who writes it")


class MoveOrders(WriteArguments):
    order_ids: list[Identifier] = Field(min_length=1, max_length=MOST_MOVED, description="OrderDesk ids")
    destination_folder_id: Identifier | None = Field(None, description="The folder: its id")
    destination_folder_name: Folder | None = Field(None, description="Or its name")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)

    @model_validator(mode="after")
    def _one_destination(self) -> MoveOrders:
        if (self.destination_folder_id is None) is (self.destination_folder_name is None):
            raise ValueError("give either destination_folder_id or destination_folder_name")
        return self


class Deleted(WriteResult):
    deleted_id: str | None = None


class Entry(Result):
    note: str
    source_name: str | None = None
    date_added: str | None = None


class HistoryWritten(WriteResult):
    entry: Entry | None = Field(None, description="The entry; absent in a dry run")


class Moved(Result):
    order_id: str
    status: Literal["moved", "planned", "unchanged", "failed"]
    message: str
    original_folder_id: str | None = None


class OrdersMoved(WriteResult):
    folder_id: str | None = None
    moved: int | None = None
    unchanged: int | None = Field(None, description="Were in the folder already")
    failed: int | None = None
    results: list[Moved] | None = None


async def create_order(call: Call, arguments: CreateOrder) -> Operation:
    """Create an order; one without a source id gets one, so that it can be found when its answer is lost."""
    store = await call.store(arguments.store_identifier)
    desk = call.services.desk
    try:
        order = new_order(arguments.order_data, desk.now())
    except ArgumentsError as error:
        error.details["example_request"] = {"order_data": NEW_ORDER}
        raise
    given = str(order.get("source_id") or "")
    order["source_id"] = given or desk.new_source_id()
    # The same request under the same key has the same lock and target, whatever source id is made up for it.
    same: Hashable = (order.get("source_name"), given) if given else arguments.idempotency_key or order["source_id"]
    return Create(
        desk.at(call, store),
        ORDER,
        (),
        order,
        find_by_source,
        ("orders", "new", same),
        target(given),
        traces={"source_id": order["source_id"]},
    )


async def delete_order(call: Call, arguments: OneOrder) -> Operation:
    """Delete an order."""
    store = await call.store(arguments.store_identifier)
    return Remove(call.services.desk.at(call, store), Reference(ORDER, (arguments.order_id,)))


async def move_orders(call: Call, arguments: MoveOrders) -> Operation:
    """Move orders to a folder."""
    store = await call.store(arguments.store_identifier)
    order_ids = tuple(dict.fromkeys(arguments.order_ids))

    async def destination() -> str:
        return await call.services.profiles.folder_id(
            call, store, arguments.destination_folder_id, arguments.destination_folder_name, prefix="destination_"
        )

    return Move(call.services.desk.at(call, store), order_ids, destination, objects=len(order_ids))


async def add_note(call: Call, arguments: AddNote) -> Operation:
    """Append a note to an order."""
    store = await call.store(arguments.store_identifier)
    author = {"username": arguments.username} if arguments.username else {}
    note = {"content": arguments.note, **author}
    seat = call.services.desk.at(call, store)
    return Change(seat, Reference(ORDER, (arguments.order_id,)), lambda _order: {"order_notes": [note]})


async def add_history(call: Call, arguments: AddHistory) -> Operation:
    """Append an entry to an order's history."""
    store = await call.store(arguments.store_identifier)
    source = {"source_name": arguments.source_name} if arguments.source_name else {}
    order = Reference(ORDER, (arguments.order_id,))
    return Append(call.services.desk.at(call, store), order, HISTORY_ENTRY, {"note": arguments.note, **source})


TOOLS: tuple[Tool[Any], ...] = (
    WriteTool(
        name="orders_create",
        title="Create an order",
        description=(
            "Create an order. CONFLICT_ERROR names existing_id where an order with this source_id (and source_name) "
            "exists. Without a source_id one is generated (qm-…), by which orders_find finds the order after "
            "WRITE_UNCERTAIN. Totals and dates cannot be set."
        ),
        toolset="orders",
        arguments=CreateOrder,
        result=OrderWritten,
        example={"order_data": NEW_ORDER, "idempotency_key": "order-W-1001"},
        operation=create_order,
        idempotent=False,
        capped=True,
    ),
    WriteTool(
        name="orders_delete",
        title="Delete an order",
        description="Delete an order at OrderDesk, for good.",
        toolset="orders",
        arguments=OneOrder,
        result=Deleted,
        example={"order_id": "100042", "idempotency_key": "delete-100042"},
        operation=delete_order,
        destructive=True,
        capped=True,
    ),
    WriteTool(
        name="orders_move",
        title="Move orders to a folder",
        description=(
            f"Move up to {MOST_MOVED} orders to a folder. That runs the folder's rules, which may send mails, ship, or "
            "move the orders on. Each order has its own result: look at failed."
        ),
        toolset="orders",
        arguments=MoveOrders,
        result=OrdersMoved,
        example={"order_ids": ["100042", "100043"], "destination_folder_name": "Shipped"},
        operation=move_orders,
        destructive=True,
        idempotent=False,  # a rule of the folder may have moved an order on since
        capped=True,
    ),
    WriteTool(
        name="orders_add_note",
        title="Add a note to an order",
        description="Append a note to an order; the notes that are there stay.",
        toolset="orders",
        arguments=AddNote,
        result=OrderWritten,
        example={"order_id": "100042", "note": "Customer called: deliver after 5 pm", "username": "Ada"},
        operation=add_note,
    ),
    WriteTool(
        name="orders_add_history",
        title="Add to an order's history",
        description="Append an entry to an order's history. It can be neither changed nor removed afterwards.",
        toolset="orders",
        arguments=AddHistory,
        result=HistoryWritten,
        example={"order_id": "100042", "note": "Label printed again", "idempotency_key": "label-100042-2"},
        operation=add_history,
        idempotent=False,
    ),
)

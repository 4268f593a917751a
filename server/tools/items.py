"""The tools that read and write the items of an order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from server.orderdesk.append import NEW_ITEM, Append
from server.orderdesk.change import Change
from server.orderdesk.kinds import ITEM, ORDER, Reference
from server.orderdesk.orders import PARTS
from server.orderdesk.remove import Remove
from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Identifier,
    Result,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.tools.order_writes import Deleted
from server.tools.orders import STORE
from server.tools.pages import Pagination
from server.writes.operation import Operation

Number = int | Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=500)]

PLACE = frozenset({"order_id", "store_identifier", "idempotency_key", "dry_run"})


class ListItems(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    limit: int = Field(100, ge=1, le=500, description="Items per page")
    offset: int = Field(0, ge=0, le=10_000, description="Items to skip")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class GetItem(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    item_id: Identifier = Field(description="The item's id in the order")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class AddItem(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    name: Text = Field(min_length=1)
    price: Number = Field(0, description="Of one")
    quantity: Number = 1
    weight: Number | None = Field(None, description="Of one")
    code: Text | None = Field(None, description="The product's code (SKU)")
    delivery_type: Literal["ship", "noship", "download", "future"] | None = None
    category_code: Text | None = None
    variation_list: dict[str, Any] | None = Field(None, description='Such as {"Color": "Red"}')
    metadata: dict[str, Any] | None = None
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class OneItem(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    item_id: Identifier = Field(description="The item's id in the order")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class UpdateItem(OneItem):
    changes: dict[str, Any] = Field(
        description="Fields to change, as in order_items_add. null removes one; variation_list and metadata merge"
    )


class ItemsResult(Result):
    status: Literal["success"]
    order_items: list[dict[str, Any]]
    pagination: Pagination
    cached: bool


class ItemResult(Result):
    status: Literal["success"]
    item: dict[str, Any]
    cached: bool


class ItemWritten(WriteResult):
    item: dict[str, Any] | None = Field(None, description="The item as it is now; absent in a dry run")


async def list_items(call: Call, arguments: ListItems) -> dict[str, Any]:
    """A page of an order's items."""
    call.target = arguments.order_id
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.parts(
        call, store, arguments.order_id, PARTS[ITEM.member], arguments.limit, arguments.offset
    )


async def get_item(call: Call, arguments: GetItem) -> dict[str, Any]:
    """One item."""
    call.target = Reference(ITEM, (arguments.order_id, arguments.item_id)).target
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.part(call, store, ITEM, arguments.order_id, arguments.item_id)


async def add_item(call: Call, arguments: AddItem) -> Operation:
    """Add an item."""
    store = await call.store(arguments.store_identifier)
    item = arguments.model_dump(mode="json", exclude_none=True, exclude=set(PLACE))
    return Append(call.services.desk.at(call, store), Reference(ORDER, (arguments.order_id,)), NEW_ITEM, item)


async def update_item(call: Call, arguments: UpdateItem) -> Operation:
    """Change an item."""
    store = await call.store(arguments.store_identifier)
    item = Reference(ITEM, (arguments.order_id, arguments.item_id))
    return Change(call.services.desk.at(call, store), item, lambda _item: arguments.changes)


async def delete_item(call: Call, arguments: OneItem) -> Operation:
    """Delete an item."""
    store = await call.store(arguments.store_identifier)
    return Remove(call.services.desk.at(call, store), Reference(ITEM, (arguments.order_id, arguments.item_id)))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="order_items_list",
        title="List an order's items",
        description="List the items of an order.",
        toolset="items",
        arguments=ListItems,
        result=ItemsResult,
        example={"order_id": "100042"},
        handler=list_items,
    ),
    Tool(
        name="order_items_get",
        title="Get an item",
        description="Get one item of an order.",
        toolset="items",
        arguments=GetItem,
        result=ItemResult,
        example={"order_id": "100042", "item_id": "5001"},
        handler=get_item,
    ),
    WriteTool(
        name="order_items_add",
        title="Add an item",
        description="Add an item to an order; its totals follow. Each call adds one: use an idempotency_key.",
        toolset="items",
        arguments=AddItem,
        result=ItemWritten,
        example={"order_id": "100042", "name": "Oak Tray", "code": "TRAY-1", "price": 24.5, "quantity": 2},
        operation=add_item,
        idempotent=False,
        capped=True,
    ),
    WriteTool(
        name="order_items_update",
        title="Update an item",
        description="Change fields of an order's item. Only what you name changes.",
        toolset="items",
        arguments=UpdateItem,
        result=ItemWritten,
        example={"order_id": "100042", "item_id": "5001", "changes": {"quantity": 3}},
        operation=update_item,
        destructive=True,
    ),
    WriteTool(
        name="order_items_delete",
        title="Delete an item",
        description="Delete an item of an order, for good; the order's totals follow.",
        toolset="items",
        arguments=OneItem,
        result=Deleted,
        example={"order_id": "100042", "item_id": "5001"},
        operation=delete_item,
        destructive=True,
        capped=True,
    ),
)

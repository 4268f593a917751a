"""The tools that list, find, read and update a store's orders."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from server.orderdesk.change import Change
from server.orderdesk.kinds import ORDER, Reference
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
from server.tools.pages import Pagination
from server.writes.operation import Operation


def _as_comma_list(value: object) -> object:
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, Field(min_length=1, max_length=200), BeforeValidator(_as_comma_list)]
STORE: Final = "A store id, label or name; else the active one"
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$")]

PAGING = frozenset({"store_identifier", "limit", "offset"})


class ListOrders(Arguments):
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)
    limit: int = Field(50, ge=1, le=500, description="Orders per page")
    offset: int = Field(0, ge=0, le=10_000_000, description="Orders to skip")
    folder_id: Text | None = Field(None, description="Only orders in these folders: an id, or several with commas")
    folder_name: Text | None = None
    source_id: Text | None = Field(None, description="The order's id in the shop it came from")
    source_name: Text | None = None
    search_start_date: Date | None = Field(None, description="Added at or after: YYYY-MM-DD HH:MM:SS, UTC")
    search_end_date: Date | None = Field(None, description="Added at or before")
    modified_start_date: Date | None = Field(None, description="Changed at or after")
    modified_end_date: Date | None = Field(None, description="Changed at or before")
    email: Text | None = None
    customer_id: Text | None = None
    customer_first_name: Text | None = None
    customer_last_name: Text | None = None
    customer_company: Text | None = None
    customer_address1: Text | None = None
    customer_phone: Text | None = None
    shipping_first_name: Text | None = None
    shipping_last_name: Text | None = None
    shipping_company: Text | None = None
    shipping_address1: Text | None = None
    shipping_phone: Text | None = None
    get_order_history: bool | None = Field(None, description="Include each order's history (slow)")
    order_by: Text | None = Field(None, description="Field to sort by; date_added unless told")
    order: Literal["ASC", "DESC"] | None = Field(None, description="Sorting direction; DESC unless told")


class GetOrder(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class FindOrder(Arguments):
    source_id: Text = Field(description="The order's id in the shop it came from")
    source_name: Text | None = Field(None, description="That shop, such as Shopify; else of any")
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class UpdateOrder(WriteArguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    changes: dict[str, Any] = Field(
        description=(
            "Fields to change. null removes a field; objects such as shipping merge key by key; order_notes are "
            "appended (a text, or objects with content and username); other lists are replaced."
        )
    )
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class OrdersResult(Result):
    status: Literal["success"]
    orders: list[dict[str, Any]]
    pagination: Pagination
    cached: bool


class FoundOrders(Result):
    status: Literal["success"]
    orders: list[dict[str, Any]]
    count: int
    cached: bool


class OrderResult(Result):
    status: Literal["success"]
    order: dict[str, Any]
    cached: bool


class OrderWritten(WriteResult):
    order: dict[str, Any] | None = Field(None, description="The order as it is now; absent in a dry run")


async def list_orders(call: Call, arguments: ListOrders) -> dict[str, Any]:
    """A page of orders."""
    store = await call.store(arguments.store_identifier)
    if arguments.folder_name is not None and "," not in arguments.folder_name:
        # OrderDesk lists nothing for a folder that does not exist, which reads as "there are no orders".
        await call.services.profiles.folder_id(call, store, None, arguments.folder_name)
    given = arguments.model_dump(exclude_none=True, exclude=set(PAGING))
    filters = {name: str(int(value)) if isinstance(value, bool) else value for name, value in given.items()}
    return await call.services.orders.page(call, store, arguments.limit, arguments.offset, filters)


async def get_order(call: Call, arguments: GetOrder) -> dict[str, Any]:
    """One order."""
    call.target = arguments.order_id
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.get(call, store, arguments.order_id)


async def find_orders(call: Call, arguments: FindOrder) -> dict[str, Any]:
    """The orders of one source."""
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.from_source(call, store, arguments.source_id, arguments.source_name)


async def update_order(call: Call, arguments: UpdateOrder) -> Operation:
    """Change an order."""
    store = await call.store(arguments.store_identifier)
    seat = call.services.desk.at(call, store)
    return Change(seat, Reference(ORDER, (arguments.order_id,)), lambda _order: arguments.changes)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="orders_list",
        title="List orders",
        description=(
            "List a store's orders, newest first, page by page, with OrderDesk's filters. Name a date range when you "
            "can: it is much faster. Continue with offset + count while pagination.has_more is true."
        ),
        toolset="orders",
        arguments=ListOrders,
        result=OrdersResult,
        example={"limit": 20, "folder_name": "New", "search_start_date": "2026-01-01 00:00:00"},
        handler=list_orders,
    ),
    Tool(
        name="orders_get",
        title="Get an order",
        description="Get one order by its OrderDesk id: customer, addresses, items, shipments, notes and totals.",
        toolset="orders",
        arguments=GetOrder,
        result=OrderResult,
        example={"order_id": "100042"},
        handler=get_order,
    ),
    Tool(
        name="orders_find",
        title="Find an order by its source",
        description="Find the order that has exactly this id in the shop that it came from; none is an empty list.",
        toolset="orders",
        arguments=FindOrder,
        result=FoundOrders,
        example={"source_id": "1001", "source_name": "Shopify"},
        handler=find_orders,
    ),
    WriteTool(
        name="orders_update",
        title="Update an order",
        description=(
            "Change fields of an order. Only what you name changes: the order is fetched, merged and written back "
            "whole, and re-merged when somebody else changed it meanwhile. Totals, ids, dates and shipments cannot be "
            "set. "
            "Use dry_run to see the difference first. WRITE_UNCERTAIN means: read the order before trying again."
        ),
        toolset="orders",
        arguments=UpdateOrder,
        result=OrderWritten,
        example={
            "order_id": "100042",
            "changes": {"shipping": {"city": "Leeds"}, "order_notes": ["Address corrected by phone"]},
            "idempotency_key": "address-100042",
        },
        operation=update_order,
        capped_field="order_items",  # what is left out of the list is deleted
        destructive=True,
        idempotent=False,  # an item without an id is added each time
    ),
)

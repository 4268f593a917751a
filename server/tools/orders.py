"""The tools that list, read and update a store's orders."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from server.orderdesk.orders import Update
from server.tools.call import Call
from server.tools.declaration import Arguments, Identifier, Result, StoreIdentifier, Tool
from server.tools.pages import Pagination


def _as_comma_list(value: object) -> object:
    if isinstance(value, list | tuple):
        return ",".join(str(part) for part in value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_as_comma_list), Field(min_length=1, max_length=200)]
Date = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?$")]

PAGING = frozenset({"store_identifier", "limit", "offset"})


class ListOrders(Arguments):
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")
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
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")


class UpdateOrder(Arguments):
    order_id: Identifier = Field(description="The order's OrderDesk id")
    changes: dict[str, Any] = Field(
        description=(
            "Fields to change. null removes a field; objects such as shipping merge key by key; order_notes are "
            "appended (a text, or objects with content and username); other lists are replaced."
        )
    )
    store_identifier: StoreIdentifier | None = Field(None, description="A store id, label or name; else the active one")
    idempotency_key: str | None = Field(
        None, min_length=1, max_length=200, description="The same key within 24 hours carries the change out once"
    )
    dry_run: bool = Field(default=False, description="Only tell what would change")


class OrdersResult(Result):
    status: Literal["success"]
    orders: list[dict[str, Any]]
    pagination: Pagination
    cached: bool


class OrderResult(Result):
    status: Literal["success"]
    order: dict[str, Any]
    cached: bool


class Difference(Result):
    field: str = Field(description="Dotted path of the field")
    before: Any
    after: Any


class UpdateResult(Result):
    status: Literal["success"]
    message: str
    order: dict[str, Any] | None = Field(None, description="The order as it is now; absent in a dry run")
    replayed: bool | None = Field(None, description="True when this idempotency_key had been carried out before")
    dry_run: bool | None = None
    changes: list[Difference] | None = Field(None, description="In a dry run: what would change")


async def list_orders(call: Call, arguments: ListOrders) -> dict[str, Any]:
    """A page of orders."""
    store = await call.store(arguments.store_identifier)
    given = arguments.model_dump(exclude_none=True, exclude=set(PAGING))
    filters = {name: str(int(value)) if isinstance(value, bool) else value for name, value in given.items()}
    return await call.services.orders.page(call, store, arguments.limit, arguments.offset, filters)


async def get_order(call: Call, arguments: GetOrder) -> dict[str, Any]:
    """One order."""
    call.target = arguments.order_id
    store = await call.store(arguments.store_identifier)
    return await call.services.orders.get(call, store, arguments.order_id)


async def update_order(call: Call, arguments: UpdateOrder) -> dict[str, Any]:
    """Change an order, or tell what would change."""
    call.target = arguments.order_id
    store = await call.store(arguments.store_identifier)
    update = Update(arguments.order_id, arguments.changes, arguments.idempotency_key)
    orders = call.services.orders
    return await (orders.preview if arguments.dry_run else orders.update)(call, store, update)


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
        result=UpdateResult,
        example={
            "order_id": "100042",
            "changes": {"shipping": {"city": "Leeds"}, "order_notes": ["Address corrected by phone"]},
            "idempotency_key": "address-100042",
        },
        handler=update_order,
        writes=True,
        destructive=True,
        idempotent=False,  # an item without an id is added each time
    ),
)

"""Orders by the shop that they came from: what OrderDesk is asked, and which of its answers are exactly those."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from server.orderdesk.kinds import ORDER
from server.orderdesk.listing import entries

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat
    from server.orderdesk.merge import JsonObject

# An id is one order's or a few sources'; more come only where OrderDesk did not understand the filter.
LIMIT: Final = 50


def source_filters(source_id: str, source_name: str | None) -> dict[str, str]:
    """The filters of GET /orders; without a name, of every source."""
    return {"source_id": source_id} | ({"source_name": source_name} if source_name else {})


def from_source(orders: list[Any], source_id: str, source_name: str | None) -> list[JsonObject]:
    """Those that are exactly that source's: how OrderDesk compares is not documented."""
    wanted = source_filters(source_id, source_name)
    return [
        order
        for order in orders
        if isinstance(order, dict) and all(str(order.get(name)) == value for name, value in wanted.items())
    ]


async def list_by_source(seat: Seat, source_id: str, source_name: str | None, **parameters: str) -> list[JsonObject]:
    """The orders of exactly that source, past the cache; `parameters` are asked too."""
    asked = source_filters(source_id, source_name) | parameters | {"limit": str(LIMIT)}
    return from_source(entries(await seat.list(ORDER, parameters=asked), "orders"), source_id, source_name)


async def find_by_source(seat: Seat, body: JsonObject) -> JsonObject | None:
    """The order with the source of `body`, past the cache."""
    found = await list_by_source(seat, str(body["source_id"]), body.get("source_name"))
    return found[0] if found else None

"""Orders as clients read them: through the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from server.cache import Cache, Key
from server.errors import NotFoundError
from server.orderdesk.desk import Desk
from server.orderdesk.kinds import ORDER, Kind, Reference
from server.orderdesk.listing import entries, pagination
from server.orderdesk.sources import LIMIT, from_source, source_filters

if TYPE_CHECKING:
    from server.tenancy.stores import Store
    from server.tools.call import Call

# Where an order holds its parts, by the name that their own paths answer with.
PARTS: Final = {"order_item": "order_items", "shipment": "order_shipments"}


class Orders:
    """The orders of any store. One may be `ttl` seconds old, a page of them `list_ttl` where that is less."""

    def __init__(self, desk: Desk, cache: Cache, *, ttl: float, list_ttl: float) -> None:
        self._desk = desk
        self._cache = cache
        self._ttl = ttl
        self._list_ttl = min(ttl, list_ttl)

    async def page(self, call: Call, store: Store, limit: int, offset: int, filters: dict[str, str]) -> dict[str, Any]:
        """A page of orders, with its pagination and whether it was cached."""
        encoded, cached = await self._page(call, store, limit, offset, filters)
        orders, page = encoded.split(b"\n")
        return {
            "status": "success",
            "orders": orjson.Fragment(orders),
            "pagination": orjson.Fragment(page),
            "cached": cached,
        }

    async def from_source(self, call: Call, store: Store, source_id: str, source_name: str | None) -> dict[str, Any]:
        """The orders that came from exactly that source, and whether they were cached."""
        encoded, cached = await self._page(call, store, LIMIT, 0, source_filters(source_id, source_name))
        orders = from_source(orjson.loads(encoded.split(b"\n")[0]), source_id, source_name)
        return {"status": "success", "orders": orders, "count": len(orders), "cached": cached}

    async def get(self, call: Call, store: Store, order_id: str) -> dict[str, Any]:
        """One order as encoded JSON, and whether it was cached. Raises NotFoundError."""
        encoded, cached = await self._encoded(call, store, order_id)
        return {"status": "success", "order": orjson.Fragment(encoded), "cached": cached}

    async def parts(
        self, call: Call, store: Store, order_id: str, member: str, limit: int, offset: int
    ) -> dict[str, Any]:
        """A page of an order's items or shipments, which are read from the order: one cache entry, always in step."""
        found, cached = await self._parts(call, store, order_id, member)
        page = found[offset : offset + limit]
        return {
            "status": "success",
            member: page,
            "pagination": pagination(count=len(page), limit=limit, offset=offset, total=len(found)),
            "cached": cached,
        }

    async def part(self, call: Call, store: Store, kind: Kind, order_id: str, part_id: str) -> dict[str, Any]:
        """One item or shipment of an order. Raises NotFoundError."""
        member = PARTS[kind.member]
        found, cached = await self._parts(call, store, order_id, member)
        for part in found:
            if isinstance(part, dict) and str(part.get("id")) == part_id:
                return {"status": "success", kind.title.lower(): part, "cached": cached}
        raise NotFoundError(f"Order {order_id} has no {kind.title.lower()} {part_id}.")

    async def _parts(self, call: Call, store: Store, order_id: str, member: str) -> tuple[list[Any], bool]:
        encoded, cached = await self._encoded(call, store, order_id)
        return entries(orjson.loads(encoded), member), cached

    async def _page(
        self, call: Call, store: Store, limit: int, offset: int, filters: dict[str, str]
    ) -> tuple[bytes, bool]:
        """The orders and the pagination of a page, encoded, a line each, and whether they were cached."""
        parameters = {**filters, "limit": str(limit), "offset": str(offset)}

        async def fetch() -> bytes:
            body = await self._desk.at(call, store).list(ORDER, parameters=parameters)
            orders = entries(body, "orders")
            page = pagination(count=len(orders), limit=limit, offset=offset, total=body.get("total_records"))
            # Neither part holds a newline, so a cached page is only cut, never parsed.
            return orjson.dumps(orders) + b"\n" + orjson.dumps(page)

        identity = orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS).decode()
        return await self._cache.get(
            Key.of(store, "order_lists", identity), self._list_ttl, fetch, deadline=call.deadline
        )

    async def _encoded(self, call: Call, store: Store, order_id: str) -> tuple[bytes, bool]:
        async def fetch() -> bytes:
            return orjson.dumps(await self._desk.at(call, store).fetch(Reference(ORDER, (order_id,))))

        return await self._cache.get(Key.of(store, "orders", order_id), self._ttl, fetch, deadline=call.deadline)

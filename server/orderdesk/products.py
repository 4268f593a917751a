"""Products (OrderDesk's inventory items), read through the cache; search is ours, OrderDesk documents none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.cache import Cache, Key
from server.errors import UpstreamUnavailableError
from server.orderdesk.gateway import Gateway
from server.orderdesk.listing import entries, pagination

if TYPE_CHECKING:
    from server.tenancy.stores import Store
    from server.tools.call import Call

ITEMS: Final = "/inventory-items"
ITEM: Final = "/inventory-items/{id}"
SEARCH_PAGE: Final = 100
SEARCH_PAGES: Final = 20
SEARCHED_FIELDS: Final = ("name", "code", "manufacturer_sku")


class Products:
    """The products of any store."""

    def __init__(self, gateway: Gateway, cache: Cache, *, ttl: float) -> None:
        self._gateway = gateway
        self._cache = cache
        self._ttl = ttl

    async def page(self, call: Call, store: Store, limit: int, offset: int, search: str | None) -> dict[str, Any]:
        """A page of products, or of those that match `search`, with its pagination and whether it was cached."""
        if search is None:
            page, cached = await self._fetch_page(call, store, limit, offset)
            products, total = page["products"], page["total"]
        else:
            matches, cached, complete = await self._matches(call, store, search)
            products, total = matches[offset : offset + limit], len(matches) if complete else None
        return {
            "status": "success",
            "products": products,
            "pagination": pagination(count=len(products), limit=limit, offset=offset, total=total),
            "cached": cached,
        }

    async def get(self, call: Call, store: Store, product_id: str) -> dict[str, Any]:
        """One product as encoded JSON, and whether it was cached. Raises NotFoundError."""

        async def fetch() -> bytes:
            body = await self._gateway.get(call, store, ITEM, f"{ITEMS}/{product_id}")
            item = body.get("inventory_item")
            if not isinstance(item, dict):
                raise UpstreamUnavailableError("OrderDesk answered without a product.", reason="unexpected_body")
            return orjson.dumps(item)

        encoded, cached = await self._cache.get(
            Key.of(store, "products", product_id), self._ttl, fetch, deadline=call.deadline
        )
        return {"status": "success", "product": orjson.Fragment(encoded), "cached": cached}

    async def _fetch_page(self, call: Call, store: Store, limit: int, offset: int) -> tuple[dict[str, Any], bool]:
        async def fetch() -> bytes:
            parameters = {"limit": str(limit), "offset": str(offset)}
            body = await self._gateway.get(call, store, ITEMS, ITEMS, parameters)
            return orjson.dumps({"products": entries(body, "inventory_items"), "total": body.get("total_records")})

        encoded, cached = await self._cache.get(
            Key.of(store, "product_lists", f"{limit}/{offset}"), self._ttl, fetch, deadline=call.deadline
        )
        page: dict[str, Any] = orjson.loads(encoded)
        return page, cached

    async def _matches(self, call: Call, store: Store, search: str) -> tuple[list[Any], bool, bool]:
        """The matches on the first SEARCH_PAGES pages, whether all pages were cached, whether these are all matches."""
        wanted = search.casefold()
        matches: list[Any] = []
        all_cached = True
        for number in range(SEARCH_PAGES):
            page, cached = await self._fetch_page(call, store, SEARCH_PAGE, number * SEARCH_PAGE)
            await asyncio.sleep(0)  # pages from the cache would otherwise be parsed in one go, other calls waiting
            all_cached = all_cached and cached
            matches += [item for item in page["products"] if _matches(item, wanted)]
            if len(page["products"]) < SEARCH_PAGE:
                return matches, all_cached, True
        return matches, all_cached, False


def _matches(item: object, wanted: str) -> bool:
    return isinstance(item, dict) and any(wanted in str(item.get(name, "")).casefold() for name in SEARCHED_FIELDS)

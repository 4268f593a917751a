"""Products (OrderDesk's inventory items), read through the cache; search is ours, OrderDesk documents none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.cache import Cache, Key
from server.orderdesk.desk import Desk, Seat
from server.orderdesk.kinds import PRODUCT, Reference
from server.orderdesk.listing import entries, pagination

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject
    from server.tenancy.stores import Store
    from server.tools.call import Call

SEARCH_PAGE: Final = 100
SEARCH_PAGES: Final = 20
# Ten calls: half of what a store's rate limit allows at once.
CODES_LOOKED_AT: Final = 1_000
SEARCHED_FIELDS: Final = ("name", "code", "manufacturer_sku")


class Products:
    """The products of any store. One may be `ttl` seconds old, a page of them `list_ttl` where that is less."""

    def __init__(self, desk: Desk, cache: Cache, *, ttl: float, list_ttl: float) -> None:
        self._desk = desk
        self._cache = cache
        self._ttl = ttl
        self._list_ttl = min(ttl, list_ttl)

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
            return orjson.dumps(await self._desk.at(call, store).fetch(Reference(PRODUCT, (product_id,))))

        encoded, cached = await self._cache.get(
            Key.of(store, "products", product_id), self._ttl, fetch, deadline=call.deadline
        )
        return {"status": "success", "product": orjson.Fragment(encoded), "cached": cached}

    async def _fetch_page(self, call: Call, store: Store, limit: int, offset: int) -> tuple[dict[str, Any], bool]:
        async def fetch() -> bytes:
            parameters = {"limit": str(limit), "offset": str(offset)}
            body = await self._desk.at(call, store).list(PRODUCT, parameters=parameters)
            return orjson.dumps({"products": entries(body, "inventory_items"), "total": body.get("total_records")})

        encoded, cached = await self._cache.get(
            Key.of(store, "product_lists", f"{limit}/{offset}"), self._list_ttl, fetch, deadline=call.deadline
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


async def with_code(seat: Seat, body: JsonObject) -> JsonObject | None:
    """The product that has the code of `body`, past the cache.

    Where OrderDesk says that the store has more than CODES_LOOKED_AT products, none is looked at: a part of them would
    not tell that the code is free, nor to whom it belongs.
    """
    for offset in range(0, CODES_LOOKED_AT, SEARCH_PAGE):
        page = await seat.list(PRODUCT, parameters={"limit": str(SEARCH_PAGE), "offset": str(offset)})
        products = entries(page, "inventory_items")
        total = pagination(count=0, limit=SEARCH_PAGE, offset=offset, total=page.get("total_records"))["total"]
        if total is not None and total > CODES_LOOKED_AT:
            return None
        for product in products:
            # As text: OrderDesk may show a code of digits as a number.
            if isinstance(product, dict) and str(product.get("code", "")) == str(body["code"]):
                return product
        if len(products) < SEARCH_PAGE:
            return None
    return None

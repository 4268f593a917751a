from typing import Any, cast

import orjson
import pytest

from server.cache import Cache
from server.orderdesk.products import SEARCH_PAGE, SEARCH_PAGES, Products
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Store
from tests.unit.server.parts import FakeClock

STORE = Store("s", "t", "1", "shop", None, is_default=True, upstream="u", sealed_api_key=b"")


class Shelf:
    """A desk with as many products as the test wants; every tenth is a mug."""

    def __init__(self, products: int) -> None:
        self.products = products
        self.pages = 0

    def at(self, _call: object, _store: object) -> "Shelf":
        return self

    async def list(self, _kind: object, *, parameters: dict[str, str]) -> dict[str, Any]:
        self.pages += 1
        offset, limit = int(parameters["offset"]), int(parameters["limit"])
        numbers = range(offset, min(offset + limit, self.products))
        items = [{"id": number, "name": "Mug" if number % 10 == 0 else "Cup"} for number in numbers]
        return {"inventory_items": items, "total_records": str(self.products)}


def products_of(shelf: Any, *, ttl: float = 60, list_ttl: float = 60, clock: FakeClock | None = None) -> Products:
    return Products(shelf, Cache(1 << 24, Metrics("0", "test"), clock or FakeClock()), ttl=ttl, list_ttl=list_ttl)


class CallUntil:
    """All that is asked of a call here."""

    deadline = 1e12


async def search(shelf: Shelf, *, limit: int = 10, offset: int = 0) -> dict[str, Any]:
    call: Any = CallUntil()
    answer: dict[str, Any] = orjson.loads(
        orjson.dumps(await products_of(shelf).page(call, STORE, limit, offset, "mug"))
    )
    return answer


@pytest.mark.parametrize("products", [0, 99, 100, 101, 1_999])
async def test_a_search_looks_through_everything_and_knows_how_many_there_are(products: int) -> None:
    found = await search(Shelf(products))
    assert found["pagination"]["total"] == -(-products // 10)
    assert [product["id"] for product in found["products"]] == list(range(0, min(products, 100), 10))


async def test_a_search_in_more_than_it_may_look_through_admits_that_it_does_not_know() -> None:
    shelf = Shelf(SEARCH_PAGE * SEARCH_PAGES + 1)
    found = await search(shelf)
    assert shelf.pages == SEARCH_PAGES
    assert found["pagination"]["total"] is None
    assert found["pagination"]["has_more"] is True


async def test_the_end_of_what_was_found_is_the_end() -> None:
    found = await search(Shelf(250), limit=10, offset=20)
    assert [product["id"] for product in found["products"]] == [200, 210, 220, 230, 240]
    assert found["pagination"]["has_more"] is False


@pytest.mark.parametrize(
    ("ttl", "list_ttl", "after", "cached"),
    [(60, 10, 9, True), (60, 10, 10, False), (5, 10, 4, True), (5, 10, 5, False), (0, 10, 0, False)],
)
async def test_a_page_lives_as_long_as_a_page_may_and_no_longer_than_a_product(
    ttl: float, list_ttl: float, after: float, *, cached: bool
) -> None:
    clock, call = FakeClock(), cast("Any", CallUntil())
    products = products_of(Shelf(3), ttl=ttl, list_ttl=list_ttl, clock=clock)
    await products.page(call, STORE, 10, 0, None)
    clock.advance(after)
    assert (await products.page(call, STORE, 10, 0, None))["cached"] is cached

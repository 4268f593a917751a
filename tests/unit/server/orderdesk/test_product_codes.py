from typing import Any

import pytest

from server.orderdesk.kinds import Kind
from server.orderdesk.products import CODES_LOOKED_AT, SEARCH_PAGE, with_code


class Shelf:
    """A store of as many products as the test wants, the last of which has the code "WANTED"."""

    def __init__(self, products: int, *, says_total: bool = True) -> None:
        self.products = products
        self.says_total = says_total
        self.pages = 0

    async def list(self, _kind: Kind, *, parameters: dict[str, str]) -> dict[str, Any]:
        self.pages += 1
        offset, limit = int(parameters["offset"]), int(parameters["limit"])
        last = self.products - 1
        numbers = range(offset, min(offset + limit, self.products))
        items = [{"id": number, "code": "WANTED" if number == last else f"wanted {number}"} for number in numbers]
        return {"inventory_items": items, **({"total_records": str(self.products)} if self.says_total else {})}


async def look_for(shelf: Any, code: str = "WANTED") -> dict[str, Any] | None:
    return await with_code(shelf, {"code": code})


@pytest.mark.parametrize("products", [1, SEARCH_PAGE, SEARCH_PAGE + 1, CODES_LOOKED_AT])
@pytest.mark.parametrize("says_total", [True, False], ids=["counted", "not counted"])
async def test_the_product_with_exactly_this_code_is_found(products: int, says_total: bool) -> None:  # noqa: FBT001
    found = await look_for(Shelf(products, says_total=says_total))
    assert found is not None
    assert found["id"] == products - 1
    assert await look_for(Shelf(products, says_total=says_total), "wanted") is None


async def test_a_code_of_digits_is_found_though_orderdesk_shows_it_as_a_number() -> None:
    class Numbered(Shelf):
        async def list(self, _kind: Kind, *, parameters: dict[str, str]) -> dict[str, Any]:
            assert parameters
            return {"inventory_items": [{"id": 1, "code": 4711}], "total_records": 1}

    found = await look_for(Numbered(1), "4711")
    assert found is not None


async def test_in_a_store_of_more_products_than_are_looked_at_none_is() -> None:
    shelf = Shelf(CODES_LOOKED_AT + 1)
    assert await look_for(shelf) is None
    assert shelf.pages == 1


async def test_where_orderdesk_does_not_count_the_look_ends_all_the_same() -> None:
    shelf = Shelf(CODES_LOOKED_AT + 1, says_total=False)
    assert await look_for(shelf) is None
    assert shelf.pages == CODES_LOOKED_AT // SEARCH_PAGE

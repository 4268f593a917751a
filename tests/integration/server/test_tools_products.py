import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed


def test_pages_follow_each_other_without_gap_or_overlap(bench: Bench, shop: Shop, client: Client) -> None:
    listed = bench.upstream.request(shop.account, "GET", "/inventory-items?limit=500")["inventory_items"]
    limit = len(listed) * 2 // 5
    pages = [succeed(client, "products_list", {"limit": limit, "offset": place * limit}) for place in range(3)]
    assert [product for page in pages for product in page["products"]] == listed
    assert [page["pagination"]["has_more"] for page in pages] == [True, True, False]
    assert [page["pagination"]["count"] for page in pages] == [limit, limit, len(listed) - 2 * limit]
    assert {page["pagination"]["total"] for page in pages} == {len(listed)}


def test_a_page_is_cached(bench: Bench, shop: Shop, client: Client) -> None:
    since = bench.upstream.control.last_sequence()
    pages = [succeed(client, "products_list", {"limit": 5}) for _ in range(2)]
    assert [page["cached"] for page in pages] == [False, True]
    assert pages[0]["products"] == pages[1]["products"]
    assert len(bench.upstream.calls(shop.account, since)) == 1


def test_a_product_is_read_and_cached(bench: Bench, shop: Shop, client: Client) -> None:
    listed = succeed(client, "products_list", {"limit": 1})["products"][0]
    first = succeed(client, "products_get", {"product_id": listed["id"]})
    assert first == {"status": "success", "product": listed, "cached": False}
    assert succeed(client, "products_get", {"product_id": str(listed["id"])}) == {**first, "cached": True}


@pytest.mark.parametrize("field", ["name", "code", "manufacturer_sku"])
def test_a_search_finds_by_name_code_and_sku_case_aside(field: str, bench: Bench, shop: Shop, client: Client) -> None:
    everything = bench.upstream.request(shop.account, "GET", "/inventory-items?limit=500")["inventory_items"]
    wanted = str(everything[50][field])[:5]
    expected = [
        item
        for item in everything
        if any(wanted.casefold() in str(item[name]).casefold() for name in ("name", "code", "manufacturer_sku"))
    ]
    found = succeed(client, "products_list", {"search": wanted.upper(), "limit": 100})
    assert found["products"] == expected
    assert found["pagination"]["total"] == len(expected) > 0


def test_a_search_has_pages_too_and_may_find_nothing(shop: Shop, client: Client) -> None:
    whole = succeed(client, "products_list", {"search": "a", "limit": 100})
    total = whole["pagination"]["total"]
    page = succeed(client, "products_list", {"search": "a", "limit": 3, "offset": 3})
    assert page["products"] == whole["products"][3:6]
    assert page["pagination"] == {
        "count": 3,
        "limit": 3,
        "offset": 3,
        "page": 2,
        "has_more": total > 6,
        "total": total,
    }
    nothing = succeed(client, "products_list", {"search": "no such product"})
    assert (nothing["products"], nothing["pagination"]["total"]) == ([], 0)


def test_a_product_that_does_not_exist_is_not_found(client: Client) -> None:
    assert fail(client, "products_get", {"product_id": "999999999"})["code"] == "NOT_FOUND"

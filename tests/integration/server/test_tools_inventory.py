import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.client import Client
from harness.sandbox.faults import ConnectionReset, ErrorInside200, Fault, Latency, LostResponse, Match, ServerError
from tests.integration.server.bench import ERAS, Account, Bench, Shop, Upstream, fail, only, succeed
from tests.integration.server.conftest import StartBench

Ask = tuple[str, dict[str, Any]]
Stock = Callable[..., dict[str, Any]]

CODES = (f"CODE-{number}" for number in itertools.count(1))
WRITES = ("create", "update", "delete", "batch update", "adjust by", "adjust to")


@pytest.fixture
def era() -> str:
    """The tools are the same in both eras: the newest revision stands."""
    return ERAS[-1]


def products_of(upstream: Upstream, account: Account) -> list[dict[str, Any]]:
    """Every product of a store as the sandbox holds them."""
    products: list[dict[str, Any]] = upstream.request(account, "GET", "/inventory-items?limit=500")["inventory_items"]
    return products


@pytest.fixture
def code() -> str:
    return next(CODES)


@pytest.fixture
def keep(bench: Bench, shop: Shop) -> Stock:
    """Another integration adds a product."""

    def add(**fields: Any) -> dict[str, Any]:
        body = {"name": "Oak Tray", "code": next(CODES), **fields}
        product: dict[str, Any] = bench.upstream.request(shop.account, "POST", "/inventory-items", body)[
            "inventory_item"
        ]
        return product

    return add


@pytest.fixture(params=WRITES)
def asked(request: pytest.FixtureRequest, keep: Stock, code: str) -> Ask:
    """A tool and arguments that it carries out."""
    if request.param == "create":
        return "products_create", {"name": "Cork Bowl", "code": code, "stock": 3, "variation_list": {"Size": "L"}}
    product = keep(stock=7, price=10, location="Overflow")
    there = {"product_id": product["id"]}
    if request.param == "update":
        return "products_update", {**there, "changes": {"price": 12.5, "location": None}}
    if request.param == "delete":
        return "products_delete", there
    if request.param == "batch update":
        entries = [
            {**there, "changes": {"price": 11}},
            {"product_id": keep(stock=1)["id"], "changes": {"stock": 2, "metadata": {"shelf": "4"}}},
        ]
        return "products_batch_update", {"products": entries}
    amount = {"by": -2, "reason": "broken"} if request.param == "adjust by" else {"to": 40}
    return "products_adjust_stock", {**there, **amount}


def sent(bench: Bench, shop: Shop, since: int) -> list[dict[str, Any]]:
    """Everything but reads that the sandbox was sent."""
    return [call for call in bench.upstream.calls(shop.account, since) if call["method"] != "GET"]


def product_of(bench: Bench, shop: Shop, product_id: Any) -> dict[str, Any]:
    """A product as the sandbox holds it."""
    answer = bench.upstream.request(shop.account, "GET", f"/inventory-items/{product_id}")
    product: dict[str, Any] = answer["inventory_item"]
    return product


def change(bench: Bench, shop: Shop, product: dict[str, Any], **fields: Any) -> None:
    """Another integration changes a product."""
    bench.upstream.request(shop.account, "PUT", f"/inventory-items/{product['id']}", {**product, **fields})


def writing(shop: Shop, fault: Fault) -> Iterator[Fault]:
    """The fault for each kind of write; reads are left alone."""
    for method in ("POST", "PUT", "DELETE"):
        yield fault.model_copy(update={"match": Match(method=method, store_id=shop.account.store_id)})


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_created_product_is_there_with_all_its_fields(bench: Bench, shop: Shop, client: Client, code: str) -> None:
    fields = {
        "name": "Oak Tray",
        "code": code,
        "price": 24.5,
        "cost": 9,
        "weight": 1.25,
        "stock": 10,
        "location": "Overflow",
        "manufacturer_sku": "ACME-1",
        "update_source": "Shopify",
        "variation_list": {"Color": "Sage"},
        "metadata": {"shelf": "4"},
    }
    total = succeed(client, "products_list", {"limit": 1})["pagination"]["total"]
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "products_create", fields)
    product = product_of(bench, shop, result["product"]["id"])
    assert result["product"] == product
    assert {name: product[name] for name in fields} == fields
    assert len(bench.upstream.applied(shop.account, since)) == 1
    assert succeed(client, "products_list", {"limit": 1})["pagination"]["total"] == total + 1


def test_a_code_that_is_taken_is_a_conflict_and_not_sent(
    bench: Bench, shop: Shop, client: Client, keep: Stock, code: str
) -> None:
    existing = keep(code=code)
    since = bench.upstream.control.last_sequence()
    error = fail(client, "products_create", {"name": "Another", "code": code})
    assert (error["code"], error["details"]["existing_id"]) == ("CONFLICT_ERROR", str(existing["id"]))
    assert sent(bench, shop, since) == []
    succeed(client, "products_create", {"name": "Another", "code": f"{code}-B"})


def test_the_same_code_at_the_same_time_is_created_once(bench: Bench, shop: Shop, code: str) -> None:
    since = bench.upstream.control.last_sequence()

    def create(_number: int) -> bool:
        with bench.connect(shop.tenant) as client:
            return client.call_tool("products_create", {"name": "Oak Tray", "code": code}).is_error

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, True, True, True]
    assert len(bench.upstream.applied(shop.account, since)) == 1


def test_a_change_alters_that_field_and_nothing_else(bench: Bench, shop: Shop, client: Client, keep: Stock) -> None:
    before = keep(stock=4, price=10, variation_list={"Color": "Sage", "Size": "L"})
    succeed(client, "products_get", {"product_id": before["id"]})
    asked = {"product_id": before["id"], "changes": {"price": 12, "variation_list": {"Size": "M"}}}
    result = succeed(client, "products_update", asked)
    after = product_of(bench, shop, before["id"])
    expected = {**before, "price": 12, "variation_list": {"Color": "Sage", "Size": "M"}}
    assert after == {**expected, "date_updated": after["date_updated"]} == result["product"]
    fresh = succeed(client, "products_get", {"product_id": before["id"]})
    assert (fresh["product"], fresh["cached"]) == (after, False)


def test_a_deleted_product_is_gone(bench: Bench, shop: Shop, client: Client, keep: Stock) -> None:
    product = keep()
    succeed(client, "products_get", {"product_id": product["id"]})
    result = succeed(client, "products_delete", {"product_id": product["id"]})
    assert result["deleted_id"] == str(product["id"])
    assert fail(client, "products_get", {"product_id": product["id"]})["code"] == "NOT_FOUND"
    answer = bench.upstream.request(shop.account, "GET", f"/inventory-items/{product['id']}")
    assert answer["status"] == "error"


def test_a_dry_run_tells_the_difference_and_changes_nothing(
    asked: Ask, bench: Bench, shop: Shop, client: Client
) -> None:
    tool, arguments = asked
    since = bench.upstream.control.last_sequence()
    result = succeed(client, tool, {**arguments, "dry_run": True})
    assert result["dry_run"] is True
    assert sent(bench, shop, since) == []
    product = f"Product {arguments.get('product_id')}"
    expected: list[tuple[str, str, Any, Any]]
    if tool == "products_create":
        expected = [("New product", "", None, arguments)]
    elif tool == "products_update":
        expected = [(product, "price", 10, 12.5), (product, "location", "Overflow", None)]
    elif tool == "products_delete":
        expected = [(product, "", product_of(bench, shop, arguments["product_id"]), None)]
    elif tool == "products_batch_update":
        first, second = (f"Product {entry['product_id']}" for entry in arguments["products"])
        expected = [
            (first, "price", 10, 11),
            (second, "stock", 1, 2),
            (second, "metadata", [], {"shelf": "4"}),
        ]
        assert [line["status"] for line in result["results"]] == ["planned", "planned"]
    else:
        expected = [(product, "stock", 7, arguments.get("to", 5))]
    assert [tuple(line.values()) for line in result["changes"]] == expected


def test_a_repetition_under_the_same_key_is_replayed_and_carried_out_once(
    asked: Ask, bench: Bench, shop: Shop, client: Client
) -> None:
    tool, arguments = asked
    since = bench.upstream.control.last_sequence()
    first = succeed(client, tool, {**arguments, "idempotency_key": "once"})
    assert succeed(client, tool, {**arguments, "idempotency_key": "once"}) == {**first, "replayed": True}
    assert len(sent(bench, shop, since)) == len(bench.upstream.applied(shop.account, since)) == 1


@pytest.mark.parametrize("fault", [LostResponse(count=1), ServerError(applied=True, count=1)], ids=lambda it: it.kind)
def test_a_write_whose_answer_was_lost_is_found_and_reported_as_done(
    fault: Fault, asked: Ask, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    tool, arguments = asked
    since = faults(*writing(shop, fault))
    result = succeed(client, tool, {**arguments, "idempotency_key": "lost"})
    assert len(sent(bench, shop, since)) == len(bench.upstream.applied(shop.account, since)) == 1
    if "product" in result:
        assert result["product"] == product_of(bench, shop, result["product"]["id"])
    if "results" in result:
        assert (result["updated"], result["failed"]) == (2, 0)
    assert succeed(client, tool, {**arguments, "idempotency_key": "lost"})["replayed"] is True
    assert len(sent(bench, shop, since)) == 1


def test_a_write_that_never_arrived_is_uncertain_and_its_repetition_is_never_sent(
    asked: Ask, bench: Bench, shop: Shop, client: Client, faults: Callable[..., int]
) -> None:
    tool, arguments = asked
    since = faults(*writing(shop, ConnectionReset(count=1)))
    for _ in range(3):
        error = fail(client, tool, {**arguments, "idempotency_key": "reset"})
        assert error["code"] == "WRITE_UNCERTAIN"
        assert error["details"]["write_id"].startswith("w_")
    assert len(sent(bench, shop, since)) == 1
    assert bench.upstream.applied(shop.account, since) == []


def test_a_stock_that_others_brought_about_proves_no_earlier_adjustment(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], keep: Stock
) -> None:
    product = keep(stock=10)
    asked = {"product_id": product["id"], "by": 5}
    faults(*writing(shop, ConnectionReset(count=1)))
    assert fail(client, "products_adjust_stock", {**asked, "idempotency_key": "first"})["code"] == "WRITE_UNCERTAIN"
    succeed(client, "products_adjust_stock", {**asked, "idempotency_key": "second"})
    assert product_of(bench, shop, product["id"])["stock"] == 15
    assert fail(client, "products_adjust_stock", {**asked, "idempotency_key": "first"})["code"] == "WRITE_UNCERTAIN"


def test_a_batch_update_is_one_request_of_whole_products(bench: Bench, shop: Shop, client: Client, keep: Stock) -> None:
    first, second, third = keep(price=1, stock=5), keep(price=2, location="Overflow"), keep(price=3)
    for product in (first, second):
        succeed(client, "products_get", {"product_id": product["id"]})
    entries = [
        {"product_id": first["id"], "changes": {"price": 1.5}},
        {"product_id": second["id"], "changes": {"stock": 9}},
        {"product_id": third["id"], "changes": {"price": 3}},
    ]
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "products_batch_update", {"products": entries})
    assert [entry["status"] for entry in result["results"]] == ["updated", "updated", "unchanged"]
    assert (result["updated"], result["unchanged"], result["failed"]) == (2, 1, 0)
    assert result["message"] == "2 of 3 products updated, 1 unchanged"
    (put,) = bench.upstream.applied(shop.account, since)
    assert [(line["id"], set(line["fields"]) - {"date_updated"}) for line in put["changes"]] == [
        (str(first["id"]), {"price"}),
        (str(second["id"]), {"stock"}),
    ]
    for before, changed in ((first, {"price": 1.5}), (second, {"stock": 9})):
        read = succeed(client, "products_get", {"product_id": before["id"]})
        assert read["cached"] is False
        assert read["product"] == {**before, **changed, "date_updated": read["product"]["date_updated"]}


def test_a_product_that_is_not_there_keeps_no_other_back(bench: Bench, shop: Shop, client: Client, keep: Stock) -> None:
    product = keep(price=1)
    entries = [
        {"product_id": "999999999", "changes": {"price": 2}},
        {"product_id": product["id"], "changes": {"price": 2}},
    ]
    result = succeed(client, "products_batch_update", {"products": entries})
    assert [entry["status"] for entry in result["results"]] == ["failed", "updated"]
    assert (result["updated"], result["failed"]) == (1, 1)
    assert product_of(bench, shop, product["id"])["price"] == 2
    assert fail(client, "products_batch_update", {"products": entries[:1]})["code"] == "NOT_FOUND"


def test_a_product_that_orderdesk_itself_refuses_is_never_a_success(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], keep: Stock
) -> None:
    gone, kept = keep(price=1), keep(price=1)
    entries = [{"product_id": product["id"], "changes": {"price": 2}} for product in (gone, kept)]
    faults(Latency(milliseconds=800, count=1, match=only(shop, "PUT")))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(succeed, client, "products_batch_update", {"products": entries})
        wait_until(lambda: bench.upstream.control.faults()[0]["fired"])
        bench.upstream.request(shop.account, "DELETE", f"/inventory-items/{gone['id']}")
        result = call.result()
    assert [(entry["status"], entry["message"]) for entry in result["results"]] == [
        ("failed", "Inventory Item Not Found"),
        ("updated", "Product updated"),
    ]
    assert (result["updated"], result["failed"]) == (1, 1)


def test_a_batch_of_which_orderdesk_updates_nothing_is_an_error(
    bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product = keep()
    entries = [{"product_id": product["id"], "changes": {"price": 1e20}}]
    error = fail(client, "products_batch_update", {"products": entries})
    assert error["code"] == "ORDERDESK_API_ERROR"
    assert [entry["message"] for entry in error["details"]["results"]] == ["Invalid price"]
    assert product_of(bench, shop, product["id"]) == product


def test_a_batch_update_that_orderdesk_refuses_whole_leaves_its_key_free(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], keep: Stock
) -> None:
    entries = [{"product_id": keep()["id"], "changes": {"price": 2}}]
    asked = {"products": entries, "idempotency_key": "again"}
    since = faults(*writing(shop, ErrorInside200(message="Not now", count=1)))
    error = fail(client, "products_batch_update", asked)
    assert (error["code"], error["message"]) == ("ORDERDESK_API_ERROR", "Not now")
    assert "replayed" not in succeed(client, "products_batch_update", asked)
    assert len(bench.upstream.applied(shop.account, since)) == 1


def test_a_foreign_change_between_reading_and_writing_a_batch_is_kept(
    bench: Bench, shop: Shop, client: Client, faults: Callable[..., int], keep: Stock
) -> None:
    products = [keep(price=1, stock=5), keep(price=1, stock=5)]
    entries = [{"product_id": product["id"], "changes": {"price": 2}} for product in products]
    since = faults(Latency(milliseconds=600, count=4, match=only(shop, "GET")))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(succeed, client, "products_batch_update", {"products": entries})
        wait_until(lambda: len(bench.upstream.calls(shop.account, since, "GET")) == 2)
        change(bench, shop, products[1], stock=77)
        result = call.result()
    assert result["updated"] == 2
    after = [product_of(bench, shop, product["id"]) for product in products]
    assert [(product["price"], product["stock"]) for product in after] == [(2, 5), (2, 77)]


@pytest.mark.parametrize(
    ("amount", "expected"), [({"by": 5}, 12), ({"by": -7}, 0), ({"to": 3}, 3), ({"to": 0}, 0)], ids=str
)
def test_stock_is_adjusted_by_or_to(
    amount: dict[str, int], expected: int, bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product = keep(stock=7, price=4)
    result = succeed(client, "products_adjust_stock", {"product_id": product["id"], **amount, "reason": "counted"})
    after = product_of(bench, shop, product["id"])
    assert after == {**product, "stock": expected, "date_updated": after["date_updated"]} == result["product"]


@pytest.mark.parametrize(("amount", "name"), [({"by": -8}, "by"), ({"to": -1}, "to")], ids=str)
def test_stock_is_never_taken_below_zero(
    amount: dict[str, int], name: str, bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product = keep(stock=7)
    since = bench.upstream.control.last_sequence()
    error = fail(client, "products_adjust_stock", {"product_id": product["id"], **amount})
    assert error["code"] == "VALIDATION_ERROR"
    assert "the present stock is 7" in error["details"]["invalid_fields"][name]
    assert sent(bench, shop, since) == []


def test_stock_that_is_below_zero_already_may_go_further_and_come_back(
    bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product = keep(stock=-3)
    for by, expected in ((-2, -5), (4, -1), (6, 5)):
        succeed(client, "products_adjust_stock", {"product_id": product["id"], "by": by})
        assert product_of(bench, shop, product["id"])["stock"] == expected


def test_an_adjustment_that_changes_nothing_writes_nothing(
    bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product = keep(stock=7)
    since = bench.upstream.control.last_sequence()
    result = succeed(client, "products_adjust_stock", {"product_id": product["id"], "to": 7})
    assert "nothing was written" in result["message"]
    assert sent(bench, shop, since) == []


@pytest.mark.timeout(90)
@pytest.mark.parametrize("foreign", [0, 100], ids=["alone", "with a foreign writer between"])
def test_adjustments_of_ten_clients_at_the_same_time_add_up_exactly(foreign: int, start: StartBench) -> None:
    bench = start(CALL_DEADLINE_SECONDS="40")
    shop = bench.open_shop()
    body = {"name": "Oak Tray", "code": next(CODES), "stock": 20}
    product = bench.upstream.request(shop.account, "POST", "/inventory-items", body)["inventory_item"]
    bench.upstream.control.set_faults(Latency(milliseconds=600, count=2, match=only(shop, "GET")))
    since = bench.upstream.control.last_sequence()

    def adjust(by: int) -> None:
        with bench.connect(shop.tenant) as client:
            succeed(client, "products_adjust_stock", {"product_id": product["id"], "by": by})

    amounts = [1, 2, 3, 4, 5, -1, -2, -3, 10, 20]
    with ThreadPoolExecutor(len(amounts)) as pool:
        calls = [pool.submit(adjust, by) for by in amounts]
        if foreign:
            # The first has read the product, and its re-check is held up.
            wait_until(lambda: bench.upstream.calls(shop.account, since, "GET"))
            change(bench, shop, product, stock=20 + foreign, location="Counted")
        for call in calls:
            call.result()
    after = product_of(bench, shop, product["id"])
    assert after["stock"] == 20 + foreign + sum(amounts)
    assert after["location"] == ("Counted" if foreign else "")
    puts = [call for call in bench.upstream.applied(shop.account, since) if call["request_id"]]
    assert sum("stock" in put["changes"][0]["fields"] for put in puts) == len(amounts)


def test_every_product_of_a_batch_counts_towards_the_cap(start: StartBench) -> None:
    bench = start(DESTRUCTIVE_CAP_PER_HOUR="2")
    shop = bench.open_shop()
    listed = products_of(bench.upstream, shop.account)[:3]
    entries = [{"product_id": product["id"], "changes": {"location": "Elsewhere"}} for product in listed]
    since = bench.upstream.control.last_sequence()
    with bench.connect(shop.tenant) as client:
        error = fail(client, "products_batch_update", {"products": entries})
        assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "destructive_per_hour")
        assert sent(bench, shop, since) == []
        succeed(client, "products_batch_update", {"products": entries[:2]})
        for tool, arguments in (
            ("products_create", {"name": "One more", "code": next(CODES)}),
            ("products_delete", {"product_id": listed[0]["id"]}),
        ):
            assert fail(client, tool, arguments)["code"] == "RATE_LIMIT_EXCEEDED"
        # These touch one product that is there, which its before-image brings back.
        succeed(client, "products_update", {"product_id": listed[0]["id"], "changes": {"location": "Back"}})
        succeed(client, "products_adjust_stock", {"product_id": listed[0]["id"], "by": 1})


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("products_update", {"changes": {"price": 1}}),
        ("products_delete", {}),
        ("products_adjust_stock", {"by": 1}),
    ],
)
def test_what_is_not_there_is_not_found(tool: str, arguments: dict[str, Any], client: Client) -> None:
    assert fail(client, tool, {"product_id": "999999999", **arguments})["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("tool", "arguments", "missing", "invalid"),
    [
        ("products_create", {"sku": "5"}, ["name", "code"], ["sku"]),
        ("products_create", {"name": "A", "code": "B", "price": -1}, [], ["price"]),
        ("products_update", {"product": "1"}, ["product_id", "changes"], ["product"]),
        ("products_delete", {"id": "1"}, ["product_id"], ["id"]),
        ("products_batch_update", {}, ["products"], []),
        ("products_batch_update", {"products": [{"product_id": "1"}]}, ["products.0.changes"], []),
        ("products_batch_update", {"products": [{"product_id": "1", "changes": {"price": 1}}] * 2}, [], ["products"]),
        (
            "products_batch_update",
            {"products": [{"product_id": str(number), "changes": {"price": 1}} for number in range(26)]},
            [],
            ["products"],
        ),
        ("products_adjust_stock", {"by": 1}, ["product_id"], []),
        ("products_adjust_stock", {"product_id": "1"}, [], ["arguments"]),
        ("products_adjust_stock", {"product_id": "1", "by": 1, "to": 2}, [], ["arguments"]),
        ("products_adjust_stock", {"product_id": "1", "by": 1.5}, [], ["by"]),
    ],
)
def test_missing_and_unknown_arguments_are_named(
    tool: str, arguments: dict[str, Any], missing: list[str], invalid: list[str], client: Client
) -> None:
    error = fail(client, tool, arguments)
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["missing_fields"] == missing
    assert list(error["details"]["invalid_fields"]) == invalid


@pytest.mark.parametrize("changes", [{}, {"id": 5}, {"pirce": 1}, {"metadata": "x"}], ids=str)
def test_a_change_that_cannot_be_made_is_refused_before_anything_is_written(
    changes: dict[str, Any], bench: Bench, shop: Shop, client: Client, keep: Stock
) -> None:
    product_id, other = keep()["id"], keep()["id"]
    since = bench.upstream.control.last_sequence()
    single = fail(client, "products_update", {"product_id": product_id, "changes": changes})
    entries = [{"product_id": other, "changes": {"price": 1}}, {"product_id": product_id, "changes": changes}]
    batch = fail(client, "products_batch_update", {"products": entries})
    assert single["code"] == batch["code"] == "VALIDATION_ERROR"
    (name,) = single["details"]["invalid_fields"]
    assert list(batch["details"]["invalid_fields"]) == [f"products.1.{name}"]
    assert sent(bench, shop, since) == []

import hashlib
import hmac
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import httpx
import pytest

from harness.client import Client
from tests.integration.server.bench import Account, Bench, Shop, succeed

TTL = "600"  # nothing in these tests is fresh because it expired
PERSONAL = {"first_name": "Adalina", "last_name": "Lovelacewood", "address1": "12 Analytical Row"}


@pytest.fixture(scope="module")
def _slow_to_forget(start_once: Callable[..., Bench]) -> Bench:
    return start_once(CACHE_TTL_ORDERS_SECONDS=TTL)


@pytest.fixture
def bench(_slow_to_forget: Bench) -> Bench:
    """A server whose cache would show an old order for ten minutes."""
    return _slow_to_forget


def change(bench: Bench, account: Account, order_id: str, email: str) -> str:
    """Another integration changes an order; what OrderDesk then posts."""
    order = bench.upstream.order(account, order_id)
    sent = {name: value for name, value in order.items() if name != "order_shipments"} | {
        "email": email,
        "shipping": {**order["shipping"], **PERSONAL},
    }
    answer = bench.upstream.request(account, "PUT", f"/orders/{order_id}", sent)
    assert answer["status"] == "success", answer
    return json.dumps(bench.upstream.order(account, order_id))


def sign(order: str, api_key: str) -> str:
    return hmac.new(api_key.encode(), order.encode(), hashlib.sha256).hexdigest()


def deliver(bench: Bench, account: Account, order: str, *, multipart: bool = False, **headers: str) -> httpx.Response:
    """Post as OrderDesk does; `headers` are sent instead of the right ones."""
    usual = {"X_Order_Desk_Store_Id": account.store_id, "X_Order_Desk_Hash": sign(order, account.api_key)}
    given = {name.replace("_", "-"): value for name, value in {**usual, **headers}.items()}
    form: dict[str, Any] = {"files": {"order": (None, order)}} if multipart else {"data": {"order": order}}
    return bench.upstream.http.post(f"{bench.base_url}/webhooks/orderdesk", headers=given, **form)


def read(client: Client, order_id: str) -> tuple[str, bool]:
    """The e-mail address of an order, and whether it came from the cache."""
    result = succeed(client, "orders_get", {"order_id": order_id})
    return result["order"]["email"], result["cached"]


@pytest.mark.parametrize("multipart", [False, True], ids=["url-encoded", "multipart"])
def test_a_change_is_seen_as_soon_as_its_delivery_came(*, multipart: bool, bench: Bench) -> None:
    shop = bench.open_shop()
    order_id = shop.orders[0]
    with bench.connect(shop.tenant) as client:
        old, _ = read(client, order_id)
        listed = succeed(client, "orders_list", {"limit": 3})
        order = change(bench, shop.account, order_id, "new@example.test")
        assert read(client, order_id) == (old, True)
        answer = deliver(bench, shop.account, order, multipart=multipart)
        assert (answer.status_code, answer.json()) == (200, {"status": "success", "duplicate": False})
        assert read(client, order_id) == ("new@example.test", False)
        assert not listed["cached"]
        assert not succeed(client, "orders_list", {"limit": 3})["cached"]
        assert read(client, order_id) == ("new@example.test", True)


def test_a_repeated_delivery_is_told_and_freshens_all_the_same(bench: Bench) -> None:
    shop = bench.open_shop()
    order_id = shop.orders[0]
    with bench.connect(shop.tenant) as client:
        order = change(bench, shop.account, order_id, "once@example.test")
        deliver(bench, shop.account, order)
        read(client, order_id)
        again = deliver(bench, shop.account, order)
        assert (again.status_code, again.json()) == (200, {"status": "success", "duplicate": True})
        assert not read(client, order_id)[1]


def test_a_wrong_hash_and_an_unknown_store_are_refused_alike_and_drop_nothing(bench: Bench) -> None:
    shop, other = bench.open_shop(), bench.open_shop()
    order_id = shop.orders[0]
    with bench.connect(shop.tenant) as client:
        read(client, order_id)
        order = change(bench, shop.account, order_id, "secret@example.test")
        wrong = deliver(bench, shop.account, order, X_Order_Desk_Hash=sign(order, other.account.api_key))
        unknown = deliver(bench, shop.account, order, X_Order_Desk_Store_Id="4711000")
        altered = deliver(
            bench, shop.account, order.replace("secret", "forged"), X_Order_Desk_Hash=sign(order, shop.account.api_key)
        )
        assert {answer.status_code for answer in (wrong, unknown, altered)} == {401}
        refusals = [answer.json()["error"] for answer in (wrong, unknown, altered)]
        for answer, refusal in zip((wrong, unknown, altered), refusals, strict=True):
            assert refusal.pop("request_id") == answer.headers["X-Request-Id"]
        assert refusals[0] == refusals[1] == refusals[2]
        assert read(client, order_id)[1]


def test_each_tenant_s_key_speaks_for_its_own_account_of_the_same_store(bench: Bench) -> None:
    owner, partner, liar = bench.open_shop("owner"), bench.new_tenant("partner"), bench.new_tenant("liar")
    account, order_id = owner.account, owner.orders[0]
    with bench.connect(owner.tenant) as mine, bench.connect(partner) as ours, bench.connect(liar) as theirs:
        bench.register(ours, Shop(partner, account, "the same key", "p"))
        lie = Account(account.store_id, "another-key", account.order_ids)
        bench.register(theirs, Shop(liar, lie, "another-key", "l"))
        for client in (mine, ours):
            read(client, order_id)
        order = change(bench, account, order_id, "two@example.test")
        # The liar proves to know its own key, which opens nothing at OrderDesk: nobody else's cache is touched.
        deadline = time.monotonic() + 5
        while deliver(bench, lie, order).status_code != 200:
            assert time.monotonic() < deadline, "a store that was just registered was not known within a second"
        for client in (mine, ours):
            assert read(client, order_id)[1]
        assert deliver(bench, account, order).json() == {"status": "success", "duplicate": False}
        for client in (mine, ours):
            assert read(client, order_id) == ("two@example.test", False)


def test_what_is_no_delivery_is_refused_with_one_line(bench: Bench) -> None:
    url = f"{bench.base_url}/webhooks/orderdesk"
    shop = bench.open_shop()
    http = bench.upstream.http
    answers = [
        http.post(url),
        http.post(url, data={"other": "1"}),
        http.post(url, json={"order": "1"}),
        http.post(url, content=b"\xff\xfe", headers={"Content-Type": "multipart/form-data; boundary=x"}),
        deliver(bench, shop.account, "no JSON"),
    ]
    for answer in answers:
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "BAD_REQUEST"
        assert answer.text.count("\n") == 0
    assert http.get(url).status_code == 405
    assert deliver(bench, shop.account, "{}", Host="elsewhere.test").status_code == 421


def test_a_huge_body_is_refused_by_its_size(bench: Bench) -> None:
    shop = bench.open_shop()
    assert deliver(bench, shop.account, json.dumps({"id": "1", "notes": "x" * 2_000_000})).status_code == 413
    assert deliver(bench, shop.account, json.dumps({"id": "1", "notes": "x" * 900_000})).status_code == 200


def test_nothing_personal_reaches_the_log(bench: Bench) -> None:
    shop = bench.open_shop()
    order = change(bench, shop.account, shop.orders[0], "private@example.test")
    assert all(value in order for value in PERSONAL.values())
    seen = len(bench.events("webhook.received"))
    deliver(bench, shop.account, order)
    deliver(bench, shop.account, order)
    deliver(bench, shop.account, order, X_Order_Desk_Store_Id=PERSONAL["last_name"])
    told = [(event["store_id"], event["outcome"]) for event in bench.events("webhook.received")[seen:]]
    assert told == [(shop.account.store_id, "accepted"), (shop.account.store_id, "duplicate"), (None, "refused")]
    log = bench.log.read_text()
    for private in (*PERSONAL.values(), "private@example.test", shop.account.api_key):
        assert private not in log
    samples = bench.samples()
    assert samples.labels("webhook_deliveries_total", "outcome") == {
        "accepted", "duplicate", "refused", "malformed", "limited"
    }  # fmt: skip
    assert samples.total("webhook_deliveries_total", outcome="accepted") >= 1


def test_a_flood_of_forged_deliveries_is_limited_and_calls_go_on(start: Callable[..., Bench]) -> None:
    bench = start(CACHE_TTL_ORDERS_SECONDS=TTL)
    shop = bench.open_shop()
    order = json.dumps({"id": shop.orders[0], "notes": "x" * 50_000})
    stop = Event()

    def flood(number: int) -> list[int]:
        statuses: list[int] = []
        with httpx.Client(trust_env=False, timeout=15) as http:
            while not stop.is_set():
                headers = {"X-Order-Desk-Store-Id": f"{number}{len(statuses)}", "X-Order-Desk-Hash": "0" * 64}
                answer = http.post(f"{bench.base_url}/webhooks/orderdesk", headers=headers, data={"order": order})
                statuses.append(answer.status_code)
        return statuses

    with ThreadPoolExecutor(4) as pool, bench.connect(shop.tenant) as client:
        read(client, shop.orders[0])
        floods = [pool.submit(flood, number) for number in range(1, 5)]
        try:
            deadline = time.monotonic() + 20
            while not bench.samples().total("webhook_deliveries_total", outcome="limited"):
                assert time.monotonic() < deadline, "the flood was never limited"
            took = []
            for _ in range(100):
                began = time.perf_counter()
                assert read(client, shop.orders[0])[1]
                took.append(time.perf_counter() - began)
        finally:
            stop.set()
        statuses = [status for each in floods for status in each.result()]
    assert set(statuses) == {401, 429}
    # This machine is the flooders' too; without the limit a call waits for all of their forms to be read.
    assert statistics.median(took) < 0.1

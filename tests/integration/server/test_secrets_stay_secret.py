import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from harness.sandbox.faults import ErrorInside200, Match, ServerError
from tests.integration.server.bench import Account, Bench, Shop, fail, succeed


def secrets_of(bench: Bench, shop: Shop) -> dict[str, str]:
    settings = bench.upstream.request(shop.account, "GET", "/store")["store"]["settings"]
    return {
        "the tenant's key": shop.tenant.key,
        "the secret part of it": shop.tenant.key.partition(".")[2],
        "the store's API key": shop.account.api_key,
        "the store's SMTP password": settings["smtp_password"],
        "the master key": bench.environment["MASTER_KEY"],
        "the operator's token": bench.environment["ADMIN_TOKEN"],
    }


def play(bench: Bench, shop: Shop) -> str:
    """Everything that a client is told in a session of successes and failures."""
    told = []
    with bench.connect(shop.tenant) as client:
        order_id = shop.orders[0]
        for tool, arguments in (
            ("tenant_use_master_key", {"master_key": shop.tenant.key}),
            ("tenant_use_master_key", {"master_key": shop.tenant.key + "x"}),
            ("tenant_use_master_key", {"masterkey": shop.tenant.key}),
            ("stores_list", {}),
            (
                "stores_register",
                {"store_id": shop.account.store_id, "api_key": shop.account.api_key, "store_name": "n"},
            ),
            ("stores_register", {"store_id": "bad id", "api_key": shop.account.api_key, "store_name": "n"}),
            ("stores_register", {"store_id": "1", "api_key": f"{shop.account.api_key} ü", "store_name": "n"}),
            ("stores_register", {"store_id": "1", "apikey": shop.account.api_key, "store_name": "n"}),
            ("orders_get", {"order_id": order_id}),
            ("orders_list", {"limit": 3}),
            ("orders_update", {"order_id": order_id, "changes": {"email": "private@example.com"}}),
            ("orders_update", {"order_id": order_id, "changes": {"email": []}}),
            ("stores_resolve", {"identifier": shop.label}),
        ):
            told.append(client.call_tool(tool, arguments).text)
        only = Match(store_id=shop.account.store_id)
        bench.upstream.control.set_faults(ServerError(match=only))
        told.append(str(fail(client, "orders_get", {"order_id": shop.orders[1]})))
        bench.upstream.control.set_faults(ErrorInside200(message="Refused", match=only))
        told.append(str(fail(client, "orders_get", {"order_id": shop.orders[2]})))
    return "\n".join(told)


def test_no_secret_is_logged_measured_answered_or_stored_in_the_clear(start: Any) -> None:
    bench = start(LOG_LEVEL="debug")
    shop = bench.open_shop()
    secrets = secrets_of(bench, shop)
    told = play(bench, shop)
    for headers in (
        {"Authorization": f"Basic {shop.tenant.key}"},
        {"Authorization": shop.tenant.key},
        {"X-Request-ID": shop.tenant.key},
        {"Cookie": f"token={shop.tenant.key}"},
    ):
        httpx.post(f"{bench.url}?token={shop.tenant.key}", json={}, headers=headers, trust_env=False)
        httpx.get(f"{bench.base_url}/{shop.tenant.key}?token={shop.tenant.key}", headers=headers, trust_env=False)
    time.sleep(0.6)  # the audit's rows are written twice a second
    places = {
        "an answer": told,
        "the metrics": bench.get("/metrics").text,
        "the health page": bench.get("/health/detailed").text,
        "the database": b"".join(path.read_bytes() for path in bench.database.parent.glob("app.db*")).decode("latin-1"),
    }
    assert bench.process.stop() == 0
    places["the log"] = bench.log.read_text() + bench.process.stdout.read_text()
    places["the audit"] = str(bench.query("SELECT * FROM audit"))
    leaks = [
        f"{name} in {place}" for place, text in places.items() for name, secret in secrets.items() if secret in text
    ]
    assert leaks == []
    # Neither do customers belong there.
    for place in ("the log", "the metrics", "the audit", "the database"):
        assert "private@example.com" not in places[place]
    assert bench.query("SELECT count(*) FROM audit")[0][0] >= 10


class _Recorder(BaseHTTPRequestHandler):
    """An OrderDesk that hands out cookies and, where told, sends callers elsewhere."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str]]]
    elsewhere: str | None

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        body = b'{"status":"success","order":{"id":"1"}}'
        self.send_response(302 if self.elsewhere else 200)
        if self.elsewhere:
            self.send_header("Location", self.elsewhere)
        self.send_header("Set-Cookie", f"session={self.headers['ORDERDESK-STORE-ID']}; Path=/")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


Seen = list[tuple[str, dict[str, str]]]


@contextlib.contextmanager
def upstream_that_records(elsewhere: str | None = None) -> Iterator[tuple[str, Seen]]:
    """An address, and the path and headers of every request that came to it."""
    seen: Seen = []
    handler = type("Handler", (_Recorder,), {"seen": seen, "elsewhere": elsewhere})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_address[1]}", seen
        finally:
            served.shutdown()
            thread.join()


def two_shops(bench: Bench) -> list[Shop]:
    shops = []
    for number in (1, 2):
        tenant = bench.new_tenant()
        shop = Shop(tenant, Account(f"500{number}", f"key-{number}", ["1"]), f"n{number}", f"l{number}")
        with bench.connect(tenant) as client:
            bench.register(client, shop)
        shops.append(shop)
    return shops


def test_what_orderdesk_hands_to_one_tenant_never_travels_with_another_s_call(start: Any) -> None:
    with upstream_that_records() as (base_url, seen):
        bench = start(ORDERDESK_BASE_URL=base_url)
        for _ in range(2):
            for shop in two_shops(bench):
                with bench.connect(shop.tenant) as client:
                    succeed(client, "orders_get", {"order_id": "1"})
    assert len(seen) == 4
    assert [headers.get("cookie") for _, headers in seen] == [None] * 4
    assert [headers["orderdesk-api-key"] for _, headers in seen] == ["key-1", "key-2"] * 2
    # OrderDesk wants neither on a read.
    assert all("content-type" not in headers and "content-length" not in headers for _, headers in seen)


def test_a_redirect_is_no_order_and_a_store_s_key_is_not_carried_to_where_it_leads(start: Any) -> None:
    with (
        upstream_that_records() as (elsewhere, seen_elsewhere),
        upstream_that_records(f"{elsewhere}/orders/1") as (base_url, seen),
    ):
        bench = start(ORDERDESK_BASE_URL=base_url)
        shop = two_shops(bench)[0]
        with bench.connect(shop.tenant) as client:
            code = fail(client, "orders_get", {"order_id": "1"})["code"]
    assert code in {"UPSTREAM_UNAVAILABLE", "ORDERDESK_API_ERROR"}
    assert seen
    assert seen_elsewhere == []

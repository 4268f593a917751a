import contextlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.background import served
from tests.integration.server.bench import Account, Bench, Shop, fail, succeed


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
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, served(server):
        yield f"http://127.0.0.1:{server.server_address[1]}", seen


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

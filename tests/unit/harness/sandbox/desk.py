"""A sandbox without a process or a socket, whose clocks stand still until a test moves them."""

import asyncio
from typing import Any

import httpx

from harness.sandbox.application import Application
from harness.sandbox.clock import Clock
from harness.sandbox.gateway import Gateway
from harness.sandbox.journal import Journal
from harness.sandbox.store import Store

JsonObject = dict[str, Any]


class FakeTime:
    def __init__(self) -> None:
        self.monotonic = 50.0
        self.wall = 1_795_000_000.5  # 2026-11-18 11:06:40 UTC, after the catalogue's last date

    def advance(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


class Desk:
    def __init__(self, *, orders: int = 20, stores: int = 1, seed: int = 1, journal_limit: int = 1_000) -> None:
        self.time = FakeTime()
        clock = Clock(lambda: self.time.monotonic, lambda: self.time.wall)
        self.stores = [Store(seed=seed, number=number, orders=orders, clock=clock) for number in range(stores)]
        gateway = Gateway({store.id: store for store in self.stores}, Journal(journal_limit), clock)
        self._application = Application(gateway)
        self.first_id = self.stores[0].catalogue.first_order_id

    def headers(self, store: int = 0) -> dict[str, str]:
        return {"ORDERDESK-STORE-ID": self.stores[store].id, "ORDERDESK-API-KEY": self.stores[store].api_key}

    def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Send anything to any path."""

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self._application)
            async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
                return await client.request(method, path, **sent)

        return asyncio.run(exchange())

    def api(self, method: str, path: str, *, store: int = 0, **sent: Any) -> httpx.Response:
        """Send an authenticated request to a path below /api/v2. Time passes, so the bucket never runs dry."""
        self.time.advance(1)
        sent["headers"] = {**self.headers(store), **sent.get("headers", {})}
        return self.send(method, f"/api/v2{path}", **sent)

    def ok(self, method: str, path: str, body: Any = None, **sent: Any) -> JsonObject:
        """The answer to a request that must succeed."""
        answer = self.api(method, path, **({} if body is None else {"json": body}), **sent)
        document: JsonObject = answer.json()
        assert answer.status_code == 200, document
        assert document["status"] == "success", document
        return document

    def refused(self, method: str, path: str, body: Any = None, *, status: int = 200) -> str:
        """The message of an answer that must be an error."""
        answer = self.api(method, path, **({} if body is None else {"json": body}))
        assert answer.status_code == status
        assert answer.json()["status"] == "error"
        message: str = answer.json()["message"]
        return message

    def order(self, order_id: str | int) -> JsonObject:
        found: JsonObject = self.ok("GET", f"/orders/{order_id}")["order"]
        return found

    def control(self, method: str, path: str, body: Any = None) -> JsonObject:
        answer = self.send(method, f"/_sandbox{path}", **({} if body is None else {"json": body}))
        assert answer.status_code == 200, answer.text
        document: JsonObject = answer.json()
        return document

    def journal(self, since: int = 0) -> list[JsonObject]:
        entries: list[JsonObject] = self.control("GET", f"/journal?since={since}")["entries"]
        return entries

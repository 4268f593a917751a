"""A real server process before a real sandbox with many stores: every test gets a tenant and a store of its own.

Stores are apart because OrderDesk's rate limit is counted per store: tests that shared one would wait for each other.
"""

import asyncio
import base64
import contextlib
import functools
import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.client import Client, connect
from harness.client.wire import envelope, protocol_headers
from harness.connections import LIMITS
from harness.process import ChildProcess, Command, child_environment, running
from harness.repository import REPOSITORY
from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import Match
from harness.targets.server import server_environment, serving
from server.brakes import Brakes
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault

STORES = 2_000
ORDERS = 450
SHARE = 15  # orders of a store that a test is told of
ERAS = ("2025-11-25", "2026-07-28")
# Limits of their own have the tests of limits.
SETTINGS = {
    "TOOLSETS": "all",
    "RATE_LIMIT_RPM": "1000000",
    "WRONG_KEYS_PER_MINUTE": "1000000",
    "HTTP_TIMEOUT_SECONDS": "1.5",
    "CALL_DEADLINE_SECONDS": "6",
}


@dataclass(frozen=True)
class Account:
    """A store of the sandbox, as its owner knows it."""

    store_id: str
    api_key: str
    order_ids: Sequence[str]


@dataclass(frozen=True)
class Upstream:
    """The sandbox: its address, its control path, and accounts that no other test was given.

    `http` serves all that tests ask by themselves: to make such a client takes longer than most tests.
    """

    base_url: str
    control: SandboxClient
    accounts: Iterator[Account]
    http: httpx.Client

    @property
    def api_url(self) -> str:
        return f"{self.base_url}/api/v2"

    def request(self, account: Account, method: str, path: str, body: object = None) -> Any:
        """What the sandbox itself says, asked with the store's own key."""
        headers = {"ORDERDESK-STORE-ID": account.store_id, "ORDERDESK-API-KEY": account.api_key}
        return self.http.request(method, self.api_url + path, headers=headers, json=body).json()

    def order(self, account: Account, order_id: str) -> dict[str, Any]:
        """An order as the sandbox holds it."""
        order: dict[str, Any] = self.request(account, "GET", f"/orders/{order_id}")["order"]
        return order

    def held(self, account: Account) -> int:
        """How many orders the store holds."""
        return int(self.request(account, "GET", "/orders?limit=1")["total_records"])

    def calls(self, account: Account, since: int, method: str | None = None) -> list[dict[str, Any]]:
        """The journal's entries of one store, clients' requests only, `method` only when given."""
        return [
            entry
            for entry in self.control.journal(since)
            if entry["store_id"] == account.store_id
            and entry["kind"] == "request"
            and method in (None, entry["method"])
        ]

    def applied(self, account: Account, since: int) -> list[dict[str, Any]]:
        """Those of them that really changed something."""
        return [call for call in self.calls(account, since) if call["applied"]]

    def notes(self, account: Account, order_id: str) -> list[str]:
        """The contents of an order's notes, once nothing goes wrong any more."""
        self.control.clear_faults()
        return [note["content"] for note in self.order(account, order_id)["order_notes"]]


@contextlib.contextmanager
def start_upstream(logs: Path) -> Iterator[Upstream]:
    """Yield a sandbox whose own rate limit is off."""
    options = ("--port", "0", "--orders", str(ORDERS), "--stores", str(STORES))
    command = Command(
        "sandbox", (sys.executable, "-m", "harness.sandbox", *options), child_environment({}, os.environ), REPOSITORY
    )
    with running(command, logs=logs) as process:
        event = process.wait_for_event("sandbox.listening", seconds=60)
        base_url = f"http://{event['host']}:{event['port']}"
        with SandboxClient(base_url) as control, httpx.Client(trust_env=False, timeout=15, limits=LIMITS) as http:
            control.bucket(enabled=False)
            yield Upstream(base_url, control, Accounts(http, base_url, event["stores"]), http)


class Accounts(Iterator[Account]):
    """Each store once: what the server still does for an earlier test, such as looking a write up, meets no other."""

    def __init__(self, http: httpx.Client, base_url: str, stores: Sequence[Mapping[str, str]]) -> None:
        self._http, self._base_url, self._stores = http, base_url, iter(stores)

    def __next__(self) -> Account:
        store = next(self._stores, None)
        assert store is not None, "more tests than stores: raise STORES"
        headers = {"ORDERDESK-STORE-ID": store["store_id"], "ORDERDESK-API-KEY": store["api_key"]}
        url = f"{self._base_url}/api/v2/orders?order_by=id&order=ASC&limit=1"
        oldest = int(self._http.get(url, headers=headers).json()["orders"][0]["id"])
        return Account(store["store_id"], store["api_key"], [str(oldest + place) for place in range(SHARE)])


@dataclass(frozen=True)
class Tenant:
    """A tenant and its only key."""

    id: str
    name: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class Shop:
    """A tenant with one registered store, which is its active one."""

    tenant: Tenant
    account: Account
    name: str
    label: str

    @property
    def orders(self) -> Sequence[str]:
        return self.account.order_ids


@dataclass(frozen=True)
class Bench:
    """A running server. `environment` is its whole environment, `log` the file its log lines go to."""

    base_url: str
    process: ChildProcess
    environment: Mapping[str, str] = field(repr=False)
    database: Path
    upstream: Upstream

    @property
    def url(self) -> str:
        return f"{self.base_url}/mcp"

    @property
    def log(self) -> Path:
        return self.process.stderr

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, all of which are JSON; those of one event when it is named."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if name in (None, line["event"])]

    def new_tenant(self, name: str = "tenant") -> Tenant:
        """A tenant made as the command makes it, without a process of its own."""
        return asyncio.run(self._create_tenant(f"{name}-{secrets.token_hex(6)}"))

    def open_shop(self, name: str = "shop") -> Shop:
        """A tenant with a store of its own."""
        tenant, account = self.new_tenant(name), next(self.upstream.accounts)
        shop = Shop(tenant, account, f"{name} {secrets.token_hex(4)}", f"label-{secrets.token_hex(4)}")
        with self.connect(tenant) as client:
            self.register(client, shop)
        return shop

    def register(self, client: Client, shop: Shop) -> None:
        """Register the shop's store for the client's tenant."""
        outcome = client.call_tool(
            "stores_register",
            {
                "store_id": shop.account.store_id,
                "api_key": shop.account.api_key,
                "store_name": shop.name,
                "label": shop.label,
            },
        )
        assert not outcome.is_error, outcome.text

    def connect(self, tenant: Tenant, version: str = ERAS[-1]) -> Client:
        return connect(self.url, tenant.key, version=version)

    def get(self, path: str, *, admin: bool = True) -> httpx.Response:
        """A page beside the MCP endpoint, asked with the operator's token."""
        headers = {"Authorization": f"Bearer {self.environment['ADMIN_TOKEN']}"} if admin else {}
        return self.upstream.http.get(self.base_url + path, headers=headers)

    def samples(self) -> "Samples":
        return Samples(self.get("/metrics").text)

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the server's database, read from outside."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(statement, values).fetchall()

    async def _create_tenant(self, name: str) -> Tenant:
        metrics = Metrics("test", "development")
        database = Database(f"sqlite:///{self.database}", metrics)
        try:
            caller, key = await Tenants(database, self._vault, Brakes(database, cap=1), metrics).create(name)
        finally:
            await database.close()
        return Tenant(caller.tenant_id, name, str(key))

    @functools.cached_property
    def _vault(self) -> Vault:
        return Vault(base64.urlsafe_b64decode(self.environment["MASTER_KEY"] + "="))


class Samples:
    """One reading of the metrics."""

    def __init__(self, exposition: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of a name that carry these labels."""
        return sum(
            sample.value for sample in self._samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def labels(self, name: str, label: str) -> set[str]:
        """Every value that a label has."""
        return {sample.labels[label] for sample in self._samples if sample.name == name}


def settings_of(upstream: Upstream, database: Path, **settings: str) -> dict[str, str]:
    """The whole environment of a server before this sandbox."""
    return server_environment(
        {
            "DATABASE_URL": f"sqlite:///{database}",
            "MASTER_KEY": secrets.token_urlsafe(32),
            "ADMIN_TOKEN": secrets.token_urlsafe(32),
            "ORDERDESK_BASE_URL": upstream.api_url,
            **SETTINGS,
            **settings,
        },
        os.environ,
    )


@contextlib.contextmanager
def start_bench(
    upstream: Upstream, environment: Mapping[str, str], logs: Path, module: str = "server"
) -> Iterator[Bench]:
    """Yield a ready server on a database that exists already; `module` may be a server broken on purpose."""
    database = Path(environment["DATABASE_URL"].removeprefix("sqlite:///"))
    with serving(environment=environment, logs=logs, module=module) as served:
        yield Bench(served.base_url, served.process, environment, database, upstream)


def succeed(client: Client, tool: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The structured result of a call that must not fail."""
    outcome = client.call_tool(tool, arguments)
    assert not outcome.is_error, outcome.text
    assert outcome.structured is not None
    return dict(outcome.structured)


def fail(client: Client, tool: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The error inside the result of a call that must fail."""
    outcome = client.call_tool(tool, arguments)
    assert outcome.is_error, outcome.text
    assert outcome.structured is not None
    error: dict[str, Any] = outcome.structured["error"]
    return error


def only(shop: Shop, method: Literal["GET", "PUT"] | None = None) -> Match:
    """The requests of one store, so that a fault leaves the others alone."""
    return Match(method=method, store_id=shop.account.store_id)


def modern_call(method: str, params: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A body and its headers of the newest revision, right in every respect."""
    return envelope(method, params or {}, ERAS[-1], 7), dict(protocol_headers(method, params or {}, ERAS[-1]))


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error that a response carries."""
    error: dict[str, Any] = answer.json()["error"]
    return error

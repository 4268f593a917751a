"""What Sentry is told by a real server that fails, and what it is not."""

import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.client import ClientError
from harness.sandbox.faults import ErrorInside200, Match, ServerError, WrongJson
from harness.targets.server import run_server_command
from tests.integration.server.bench import Bench, Shop, Upstream, settings_of, start_bench
from tests.integration.server.leaks.calls import CALLS
from tests.integration.server.leaks.corpus import corpus, deal
from tests.integration.server.leaks.failures import saying
from tests.integration.server.leaks.scene import Scene, Troubles
from tests.integration.server.leaks.tracing import Tracer
from tests.integration.server.leaks.watched import own_secrets
from tests.integration.server.sentry_receiver import Receiver, receiving
from tests.integration.server.stdio_process import speaking
from tests.integration.server.test_webhook import deliver

CRASHING = "tests.integration.server.crashing_server"
LEAKING = "tests.integration.server.leaking_server"
StartReporting = Callable[..., Bench]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def start_reporting(
    receiver: Receiver, upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> Iterator[StartReporting]:
    """Start a server, broken or not, that reports to the receiver."""
    with contextlib.ExitStack() as stack:

        def start(module: str = "server", **settings: str) -> Bench:
            database = Path(shutil.copy(migrated_database, tmp_path / "app.db"))
            environment = settings_of(upstream, database, SENTRY_DSN=receiver.dsn, **settings)
            return stack.enter_context(start_bench(upstream, environment, tmp_path, module))

        yield start


def scene_of(bench: Bench, shop: Shop) -> Scene:
    held, sent = deal(2)
    return Scene(bench, shop, held, sent, Troubles(bench.upstream.control))


def crash(bench: Bench, shop: Shop) -> str:
    """Everything that the crashing server breaks down at; what clients and OrderDesk were told."""
    scene = scene_of(bench, shop)
    order_id = scene.order()
    with bench.connect(shop.tenant) as client:
        told = [
            client.call_tool("orders_get", {"order_id": order_id}).text,
            client.call_tool("orders_update", CALLS["orders_update"](scene)).text,
        ]
        with pytest.raises(ClientError) as crashed:
            client.call_tool("orders_list", CALLS["orders_list"](scene))
    delivery = json.dumps(bench.upstream.order(shop.account, order_id))
    return "\n".join([*told, str(crashed.value), deliver(bench, shop.account, delivery).text])


def steps_of(event: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(step["category"], step["message"], step["data"]["status"]) for step in event["breadcrumbs"]["values"]]


def test_what_no_code_expected_is_told_with_its_place_and_the_steps_before_it(
    start_reporting: StartReporting, receiver: Receiver
) -> None:
    bench = start_reporting(CRASHING)
    shop = bench.open_shop()
    crash(bench, shop)
    tool, write, web, library = receiver.wait_for("tool.crashed", "writes.crashed", "http.crashed", "library.log")

    assert (tool["release"], tool["environment"], tool["level"]) == ("quartermaster@0.1.0", "development", "error")
    assert tool["tags"]["tool"] == tool["transaction"] == "orders_get"
    assert tool["tags"]["rpc_method"] == "tools/call"
    kinds = [(each["module"], each["type"]) for each in tool["exception"]["values"]]
    assert kinds == [("builtins", "KeyError"), ("builtins", "RuntimeError")]
    raised = tool["exception"]["values"][-1]
    assert raised["mechanism"]["handled"] is False
    assert raised["stacktrace"]["frames"][0].items() >= {"filename": "server/tools/registry.py", "in_app": True}.items()
    assert raised["stacktrace"]["frames"][-1]["function"] == "fetch"
    assert ("orderdesk", "GET /orders/{id}", "200") in steps_of(tool)
    assert ("database", "INSERT", "ok") in steps_of(write)
    assert all(step["data"]["milliseconds"] >= 0 for step in write["breadcrumbs"]["values"])

    # The line of the log and the event lead to each other.
    (line,) = bench.events("tool.crashed")
    assert (line["sentry_event"], line["request_id"]) == (tool["event_id"], tool["tags"]["request_id"])
    assert write["tags"]["write_id"] == bench.events("writes.crashed")[0]["write_id"]
    assert web["tags"]["endpoint"] == "/mcp"
    assert library["logger"] == "asyncio"
    # Told when the task is collected, perhaps while another tenant is answered: it is nobody's.
    assert library.keys().isdisjoint({"user", "breadcrumbs", "contexts", "transaction"})
    assert [each["type"] for each in library["exception"]["values"]] == ["ValueError"]


def test_a_tenant_is_known_by_a_pseudonym_of_its_own_that_stays(
    start_reporting: StartReporting, receiver: Receiver
) -> None:
    bench = start_reporting(LEAKING, SENTRY_TRACES_SAMPLE_RATE="1")
    shops = [bench.new_tenant(), bench.new_tenant()]
    for tenant, tool in zip(
        [*shops, *shops], ("orders_get", "orders_list", "stores_list", "products_list"), strict=True
    ):
        with bench.connect(tenant) as client:
            assert client.call_tool(tool, {"order_id": "1"} if tool == "orders_get" else {}).is_error
    receiver.wait_for("tool.crashed")
    assert bench.process.stop() == 0
    by_tool = {event["tags"]["tool"]: event["user"]["id"] for event in receiver.events("tool.crashed")}
    assert by_tool["orders_get"] == by_tool["stores_list"] != by_tool["orders_list"] == by_tool["products_list"]
    assert {event["user"]["id"] for event in receiver.items("transaction")} == set(by_tool.values())
    assert not [tenant.id for tenant in shops if tenant.id in receiver.everything()]


@pytest.mark.parametrize("module", [CRASHING, LEAKING])
def test_no_secret_and_nobody_s_data_leaves_on_any_path(
    module: str, start_reporting: StartReporting, receiver: Receiver
) -> None:
    # Every request is told as a transaction as well, so that each path leads to the receiver.
    bench = start_reporting(
        module, SENTRY_TRACES_SAMPLE_RATE="1", QUERY_TOKEN_ENABLED="true", LOG_LEVEL="debug", HTTP_MAX_RETRIES="0"
    )
    tenant = bench.new_tenant()
    account = next(bench.upstream.accounts)
    shop = Shop(tenant, account, "the shop", "the label")
    scene = scene_of(bench, shop)
    email = scene.sent.draw("e-mail")
    held = {piece.kind: piece.text for piece in own_secrets(bench, shop)}
    with bench.connect(tenant) as client:
        client.call_tool(
            "stores_register",
            {"store_id": account.store_id, "api_key": account.api_key, "store_name": shop.name, "label": shop.label},
        )
        client.call_tool("tenant_use_master_key", {"master_key": tenant.key})
    if module == CRASHING:
        crash(bench, shop)
    only = Match(store_id=account.store_id)
    for fault in (
        None,
        ServerError(match=only),
        ErrorInside200(message=saying(scene), match=only),
        WrongJson(match=only),
    ):
        if fault is not None:
            bench.upstream.control.set_faults(fault)
        for name, arguments in {name: make(scene) for name, make in CALLS.items()}.items() if fault is None else ():
            call(bench, shop, name, arguments)
        call(bench, shop, "orders_get", {"order_id": shop.orders[0]})
        bench.upstream.control.clear_faults()
    for headers in (
        {"X-Request-ID": account.api_key.replace(".", "-")},
        {"X-Request-ID": f"{tenant.key.partition('.')[2]}1a"},
        {"traceparent": f"00-{'a1' * 16}-{'b2' * 8}-01", "baggage": f"email={email}", "sentry-trace": "a1" * 16},
        {"Cookie": f"token={tenant.key}", "User-Agent": email, "Referer": f"https://shop.test/?token={tenant.key}"},
    ):
        call(bench, shop, "orders_list", {"search": email}, headers, query=f"?token={tenant.key}")
    receiver.wait_for("tool.crashed")
    assert bench.process.stop() == 0

    everything = receiver.everything()
    assert Tracer(corpus()).trace({"what left": everything}) == []
    held["the tenant's id"], held["the store"] = tenant.id, account.store_id
    held["the store's name"], held["a trace of the client's"] = shop.name, "a1" * 16
    assert [name for name, secret in held.items() if secret in everything] == []
    assert len(receiver.items("transaction")) >= 30
    if module == LEAKING:
        assert len(receiver.events("tool.crashed")) >= 30


def call(
    bench: Bench,
    shop: Shop,
    name: str,
    arguments: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> None:
    """Call a tool, whatever comes of it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    given = {"Authorization": f"Bearer {shop.tenant.key}", **(headers or {})}
    httpx.post(bench.url + query, json=body, headers=given, trust_env=False, timeout=15)


def test_a_sound_server_whose_database_breaks_tells_the_step_that_failed_and_no_statement(
    start_reporting: StartReporting, receiver: Receiver
) -> None:
    bench = start_reporting(DRAIN_SECONDS="7")
    shop, other = bench.open_shop(), bench.new_tenant()
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute("ALTER TABLE stores RENAME TO elsewhere")
        connection.execute("DROP TABLE audit")
    with bench.connect(other) as client:  # the shop's own stores are remembered
        assert client.call_tool("stores_list").is_error
    crashed, audit = receiver.wait_for("tool.crashed", "audit.flush_failed")
    cause, *_, raised = crashed["exception"]["values"]
    assert (cause["module"], cause["type"], cause["value"]) == ("sqlite3", "OperationalError", "SQLITE_ERROR")
    assert raised["module"] == "sqlalchemy.exc"
    assert "value" not in raised
    assert ("database", "SELECT", "OperationalError") in steps_of(crashed)
    assert audit["logentry"] == {"message": "audit.flush_failed"}
    assert bench.process.stop() == 3  # rows were lost, which is an error as well
    receiver.wait_for("audit.rows_lost")
    everything = receiver.everything()
    for words in ("no such table", "FROM stores", "sealed_api_key", shop.account.store_id, shop.name):
        assert words not in everything


def test_a_server_on_the_standard_streams_reports_as_well(
    receiver: Receiver, upstream: Upstream, migrated_database: Path, tmp_path: Path
) -> None:
    database = Path(shutil.copy(migrated_database, tmp_path / "app.db"))
    environment = settings_of(upstream, database, SENTRY_DSN=receiver.dsn)
    created = run_server_command("tenant", "create", "streams", environment=environment, logs=tmp_path)
    tenant = json.loads(created)
    with speaking({**environment, "TENANT_KEY": tenant["key"]}, tmp_path / "log", LEAKING) as server:
        answer = server.call("orders_get", order_id="1", email=corpus()[0].text)
        assert answer["result"]["isError"]
        (event,) = receiver.wait_for("tool.crashed")
        assert server.end() == 0
    assert event["tags"]["tool"] == "orders_get"
    assert event["user"]["id"] != tenant["tenant_id"]
    assert Tracer(corpus()).trace({"what left": receiver.everything()}) == []
    assert tenant["key"] not in receiver.everything()

"""The server and what it stands on in trouble: nothing of what it was told then is left anywhere either."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.client import ClientError
from harness.sandbox.faults import Latency, Match
from server.tools.registry import ALL as TOOLS
from tests.integration.server.bench import Bench
from tests.integration.server.leaks.calls import CALLS, may_repeat
from tests.integration.server.leaks.echo import echoing
from tests.integration.server.leaks.failures import SLOW, saying
from tests.integration.server.leaks.places import Place, mark
from tests.integration.server.leaks.scene import Arguments, Scene
from tests.integration.server.leaks.watched import Answers, Watch
from tests.integration.server.operating import wait_until
from tests.integration.server.test_webhook import deliver
from tests.integration.server.upstream_faults import wait_for_fault

CRASHING = "tests.integration.server.crashing_server"
LEAKING = "tests.integration.server.leaking_server"
ASKING = [tool for tool in TOOLS if tool.open_world]
STATUSES = (302, 400, 401, 403, 404, 409, 422, 429, 500, 503)


def call(scene: Scene, answers: Answers, tool: str, arguments: Arguments) -> str:
    """Call a tool whatever comes of it, an answer that is no result included; returns all that was said."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    headers = {"Authorization": f"Bearer {scene.shop.tenant.key}"}
    answer = scene.bench.upstream.http.post(scene.bench.url, json=body, headers=headers)
    result = answer.json().get("result") or {"structuredContent": {"error": {"code": "", "message": answer.text}}}
    answers.add(tool, result["structuredContent"], may_repeat(arguments))
    return answer.text


@pytest.mark.timeout(180)
def test_an_orderdesk_that_repeats_what_it_was_told_in_whatever_it_answers(watch: Watch) -> None:
    plain = watch()
    with echoing(plain.bench.upstream.api_url) as echo:
        watched = watch(ORDERDESK_BASE_URL=echo.base_url)
        answers = Answers()
        asked = {tool.name: CALLS[tool.name](watched.owner) for tool in ASKING}
        for status in STATUSES:
            # A store of its own for each status: one that has failed too often is not asked for a while.
            scene = replace(watched.owner, shop=watched.bench.open_shop())
            for number, tool in enumerate(tool for tool in ASKING if status != 429 or tool.name in SLOW):
                echo.status, echo.more = status, saying(scene)
                echo.content_type = "text/html" if number % 3 == 0 else "application/json"
                call(scene, answers, tool.name, {**asked[tool.name], "store_identifier": scene.shop.label})
            echo.status = None
        echo.writes_alone = True
        for status in (409, 500):
            scene = replace(watched.owner, shop=watched.bench.open_shop())
            for tool in ASKING:
                arguments = CALLS[tool.name](scene)
                echo.status, echo.more = status, saying(scene)
                call(scene, answers, tool.name, arguments)
                echo.status = None
        codes = {json.loads(answer.text).get("error", {}).get("code") for answer in answers.told}
        assert watched.leaks() == []
        assert watched.in_answers(answers, watched.parties[0]) == []
    assert echo.told > 100
    assert codes >= {
        *("AUTH_ERROR", "NOT_FOUND", "ORDERDESK_API_ERROR", "RATE_LIMIT_EXCEEDED", "UPSTREAM_UNAVAILABLE"),
        "WRITE_UNCERTAIN",
    }
    assert watched.bench.events("breaker.opened")


@pytest.mark.parametrize("module", [CRASHING, LEAKING])
def test_faults_of_the_server_s_own_are_told_by_kind_and_place_alone(module: str, watch: Watch, tmp_path: Path) -> None:
    with watch().replaced(module, tmp_path) as watched:
        scene, answers = watched.owner, Answers()
        order_id = scene.order()
        for tool in TOOLS:
            if tool.name != "stores_delete":
                call(scene, answers, tool.name, CALLS[tool.name](scene))
        delivery = json.dumps(scene.look(order_id))
        webhook = deliver(watched.bench, scene.shop.account, delivery).text
        assert watched.leaks({"a webhook's answer": Place(webhook, "{")}) == []
        assert watched.in_answers(answers, watched.parties[0]) == []
        exceptions = "\n".join(str(line.get("exception")) for line in watched.bench.events())
        crashed = {line["event"] for line in watched.bench.events() if line.get("exception")}
    if module == CRASHING:
        assert crashed == {"tool.crashed", "writes.crashed", "http.crashed", "library.log"}
        assert "builtins.KeyError\nbuiltins.RuntimeError\n" in exceptions
        assert "crashing_server.py" in exceptions
        assert {"builtins.LookupError", "builtins.ValueError"} <= set(exceptions.split())
    else:
        assert exceptions.count("ExceptionGroup") >= len(TOOLS) - 1
        assert len(watched.receiver.events("tool.crashed")) >= 30


@contextlib.contextmanager
def refusing(bench: Bench) -> Iterator[None]:
    """A database that takes no write, as on a full disk."""
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON writes BEGIN SELECT RAISE(ABORT, 'full'); END")
        try:
            yield
        finally:
            connection.execute("DROP TRIGGER refuse")


@contextlib.contextmanager
def locked(bench: Bench) -> Iterator[None]:
    """A database that another process holds."""
    with contextlib.closing(sqlite3.connect(bench.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.mark.parametrize("trouble", [refusing, locked])
def test_a_database_in_trouble_tells_nothing_of_what_it_did_not_take(
    trouble: Callable[[Bench], contextlib.AbstractContextManager[None]], watch: Watch
) -> None:
    watched = watch()
    scene, answers = watched.owner, Answers()
    names = ("orders_update", "orders_create", "products_create", "shipments_add", "stores_register")
    asked: Mapping[str, Any] = {name: CALLS[name](scene) for name in names}
    with trouble(watched.bench):
        for name, arguments in asked.items():
            if trouble is locked or name != "stores_register":
                call(scene, answers, name, {**arguments, "idempotency_key": f"key of {scene.sent.any()}"})
    assert all(answer.is_error for answer in answers.told)
    assert watched.leaks() == []
    assert watched.in_answers(answers, watched.parties[0]) == []


def test_a_limit_tells_nothing_of_what_it_refused(watch: Watch, tmp_path: Path) -> None:
    with watch().replaced("server", tmp_path, RATE_LIMIT_RPM="5") as watched:
        scene, answers = watched.owner, Answers()
        for tool in TOOLS:
            if tool.name != "stores_delete":
                call(scene, answers, tool.name, CALLS[tool.name](scene))
        refused = [answer for answer in answers.told if "RATE_LIMIT_EXCEEDED" in answer.text]
        with watched.bench.connect(watched.parties[1].scene.shop.tenant) as other:
            assert not other.call_tool("stores_list").is_error
        assert watched.leaks() == []
        assert watched.in_answers(answers, watched.parties[0]) == []
    assert len(refused) > 20


def test_a_server_that_drains_leaves_nothing_of_the_calls_in_flight(watch: Watch) -> None:
    watched = watch(HTTP_TIMEOUT_SECONDS="3", DRAIN_SECONDS="10")
    scene, answers, bench = watched.owner, Answers(), watched.bench
    asked = {name: CALLS[name](scene) for name in ("orders_update", "orders_create", "orders_get", "products_create")}
    mark(bench, scene.shop.tenant, watched.receiver)
    slow = Latency(milliseconds=1_000, match=Match(store_id=scene.shop.account.store_id))
    scene.troubles.use(scene.shop, slow)
    with ThreadPoolExecutor(len(asked) + 1) as threads, bench.connect(scene.shop.tenant) as client:
        calls = [threads.submit(call, scene, answers, name, arguments) for name, arguments in asked.items()]
        wait_for_fault(bench)
        os.kill(bench.process.pid, 15)
        wait_until(lambda: bool(bench.events("server.draining")), "the drain")
        with contextlib.suppress(ClientError):
            late = client.call_tool("orders_find", {"source_id": scene.sent.any()})
            answers.add("orders_find", dict(late.structured or {}), set())
        for each in calls:
            each.result()
    assert bench.process.wait(seconds=20) == 0
    scene.troubles.use(scene.shop)
    assert watched.left() == []
    assert watched.in_answers(answers, watched.parties[0]) == []
    assert len(answers.told) >= len(asked)


def test_a_killed_server_and_the_one_that_looks_after_it_leave_nothing(watch: Watch, tmp_path: Path) -> None:
    plain = watch(HTTP_TIMEOUT_SECONDS="3")
    scene = plain.owner
    arguments = CALLS["orders_update"](scene)
    slow = Latency(milliseconds=1_500, match=Match(store_id=scene.shop.account.store_id))
    scene.troubles.use(scene.shop, slow)
    with ThreadPoolExecutor(1) as threads:
        cut = threads.submit(call, scene, Answers(), "orders_update", arguments)
        wait_for_fault(plain.bench)
        wait_until(lambda: plain.bench.query("SELECT count(*) FROM writes WHERE state = 'intent'") != [(0,)], "intent")
        os.kill(plain.bench.process.pid, 9)
        assert isinstance(cut.exception(), httpx.TransportError)
    scene.troubles.use(scene.shop)
    killed = plain.bench.log.read_text()
    with plain.replaced("server", tmp_path) as watched:
        assert watched.leaks(log=killed) == []

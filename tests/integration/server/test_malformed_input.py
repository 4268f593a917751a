"""Malformed input never yields a 5xx, a stack trace or an answer that cannot be read, and never ends the server."""

import contextlib
import functools
import http.client
import importlib
import itertools
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from harness.client.wire import envelope
from tests.integration.server import malformed
from tests.integration.server.bench import ERAS, Account, Bench, Shop
from tests.integration.server.malformed import Headers

# The whole number of cases is cheap enough for every run; a full run tries ten times as many.
SCALE = 10 if os.environ.get("QUARTERMASTER_FULL") == "1" else 1
CASES = {"arguments": 1_300, "envelopes": 450, "bodies": 250, "headers": 400}
ONE_FAULT_CASES = 20  # of each kind
LEAST_CASES = 2_000
LEAST_HANDLED = 500
STORES = 40
CODES_OF_TOOLS = {
    *("VALIDATION_ERROR", "AUTH_ERROR", "NOT_FOUND", "STORE_NOT_FOUND", "CONFLICT_ERROR", "RATE_LIMIT_EXCEEDED"),
    *("ORDERDESK_API_ERROR", "UPSTREAM_UNAVAILABLE", "WRITE_UNCERTAIN"),
}
TRACES = (b"Traceback", b'File "', b"site-packages", b"/server/")


class Line:
    """One kept connection on which anything can be sent; opened anew after the server closed it."""

    def __init__(self, bench: Bench) -> None:
        address = urlsplit(bench.base_url)
        self._address = (str(address.hostname), int(address.port or 0))
        self._socket: socket.socket | None = None
        self.statuses = Counter[int | None]()

    def send(self, method: str, path: str, headers: Headers, body: bytes) -> tuple[int, bytes, str] | None:
        """Status, body and content type of the answer; None where the connection was closed without one."""
        head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers)
        request = f"{method} {path} HTTP/1.1\r\n".encode() + head + b"\r\n" + body
        answer = self._exchange(method, request)
        self.statuses[None if answer is None else answer[0]] += 1
        return answer

    def _exchange(self, method: str, request: bytes) -> tuple[int, bytes, str] | None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=20)
        answer = http.client.HTTPResponse(self._socket, method=method)
        try:
            # A server that refuses the head may close before it has read the body.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._socket.sendall(request)
            answer.begin()
            content = answer.read()
        except (http.client.BadStatusLine, ConnectionResetError):
            self.close()
            return None
        if answer.will_close or answer.status >= 400:
            self.close()
        return answer.status, content, answer.getheader("content-type", "")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@pytest.fixture(autouse=True)
def _generation_depends_on_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Hypothesis from mixing in the constants that it finds in the project's modules.

    Which of them are imported depends on the tests that ran before, and so would what is generated, seed or not.
    """
    monkeypatch.setattr(providers, "_get_local_constants", Constants)
    monkeypatch.setattr(providers, "CONSTANTS_CACHE", LRUCache(1024))


@pytest.fixture
def bench(start: Callable[..., Bench]) -> Bench:
    """A server of its own: its log and its metrics must be the cases' alone."""
    return start(QUERY_TOKEN_ENABLED="true")


@pytest.fixture
def shops(bench: Bench) -> list[Shop]:
    """One tenant with many stores, so that OrderDesk's limit per store does not slow the cases down."""
    tenant = bench.new_tenant()
    accounts: list[Account] = list(itertools.islice(bench.upstream.accounts, STORES))
    shops = [Shop(tenant, account, f"name {number}", f"label-{number}") for number, account in enumerate(accounts)]
    with bench.connect(tenant) as client:
        for shop in shops:
            bench.register(client, shop)
    return shops


def is_message(item: Any) -> bool:
    """Whether this is a response of JSON-RPC: one of a result and an error, and an id."""
    if not isinstance(item, dict) or item.get("jsonrpc") != "2.0" or "id" not in item:
        return False
    if "result" in item:
        return isinstance(item["result"], dict) and "error" not in item
    error = item.get("error")
    return isinstance(error, dict) and isinstance(error.get("code"), int) and isinstance(error.get("message"), str)


def check_result(result: dict[str, Any]) -> None:
    """What must be true of a tool's result."""
    (content,) = result["content"]
    assert json.loads(content["text"]) == result["structuredContent"]
    if result["isError"]:
        assert result["structuredContent"]["error"]["code"] in CODES_OF_TOOLS


def check(answer: tuple[int, bytes, str] | None, *, raw: bool = False) -> None:
    """What must be true of every answer. `raw`: the request may not have been HTTP, which HTTP itself refuses."""
    if answer is None:
        assert raw, "the connection was closed without an answer"
        return
    status, content, kind = answer
    assert 200 <= status < 500, content
    assert not any(trace in content for trace in TRACES), content
    if raw and kind.startswith("text/plain"):
        return
    if status == 202 or not content:
        assert content == b""
        return
    if kind.startswith("text/plain"):
        assert raw
        return
    body = orjson.loads(content)
    items = body if isinstance(body, list) else [body]
    for item in items:
        if is_message(item):
            if "content" in item.get("result", {}):
                check_result(item["result"])
        elif isinstance(item, dict) and "error" in item:
            assert isinstance(item["error"]["code"], str)
        else:
            assert raw, content
            assert item.get("status"), content


def repeat(cases: int, strategy: st.SearchStrategy[Any], body: Callable[[Any], None]) -> int:
    """Run the body on that many examples, the same ones in every run; returns how many were tried."""
    tried = 0

    @settings(
        max_examples=cases * SCALE,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(example: Any) -> None:
        nonlocal tried
        tried += 1
        body(example)

    run()
    return tried


def tool_calls(bench: Bench, shops: Sequence[Shop]) -> st.SearchStrategy[tuple[str, str, Any]]:
    """An era, a tool, and arguments for it: mostly valid ones about things that exist, else spoiled or anything."""
    with bench.connect(shops[0].tenant) as client:
        tools = client.list_tools()
    changes = st.fixed_dictionaries(
        {},
        optional={
            "email": malformed.TEXTS,
            "shipping": st.dictionaries(st.sampled_from(["city", "phone"]), malformed.SCALARS, max_size=2),
            "order_notes": malformed.TEXTS | st.lists(malformed.TEXTS, max_size=2),
            "order_metadata": st.dictionaries(malformed.TEXTS, malformed.SCALARS, max_size=2),
            "tax_total": malformed.SCALARS,
        },
    )

    def known(shop: Shop) -> dict[str, Any]:
        labels = st.just(shop.label)
        return {
            "store_identifier": labels,
            "identifier": labels,
            "order_id": st.sampled_from(shop.orders[:2]),
            "product_id": st.just(str(int(shop.orders[0]) // 10**7 * 10**7)),
            "changes": changes,
            "master_key": st.just(shop.tenant.key),
            "search": st.sampled_from(["steel", "lamp", "²"]),
            "limit": st.integers(1, 3),
            "offset": st.integers(0, 3),
        }

    @st.composite
    def build(draw: st.DrawFn) -> tuple[str, str, Any]:
        tool = draw(st.sampled_from(tools))
        # One store alone is ever deleted: calls to a store that is gone reach little.
        shop = shops[-1] if tool["name"] == "stores_delete" else draw(st.sampled_from(shops))
        valid = malformed.arguments_of(tool, known(shop))
        kind = draw(st.integers(0, 9))
        arguments = draw(valid if kind < 7 else malformed.spoiled(valid) if kind < 9 else malformed.JSON)
        return draw(st.sampled_from(ERAS)), tool["name"], arguments

    return build()


def handled(bench: Bench) -> float:
    """How many calls reached a tool's handler: those of a known tool whose arguments were not refused."""
    samples = bench.samples()
    known = samples.total("mcp_tool_calls_total") - samples.total("mcp_tool_calls_total", tool_name="unknown")
    return known - samples.total("errors_total", error_type="tool", error_code="VALIDATION_ERROR")


def test_the_cases_are_the_same_whatever_is_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def generated() -> list[str]:
        cases: list[str] = []
        repeat(300, malformed.JSON, lambda case: cases.append(repr(case)))
        return cases

    before = generated()
    name = f"constants_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"WORDS = {[f'word {number}' for number in range(100)]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module(name)
    try:
        assert generated() == before
    finally:
        del sys.modules[name]


@pytest.mark.timeout(120 * SCALE)
def test_no_input_brings_the_server_down_or_makes_it_fail(bench: Bench, shops: list[Shop]) -> None:
    key = shops[0].tenant.key.encode()
    usual: Headers = [
        ("Host", b"localhost"),
        ("Content-Type", b"application/json"),
        ("Authorization", b"Bearer " + key),
    ]
    line = Line(bench)
    reached = handled(bench)

    def post(body: bytes, headers: Headers = ()) -> None:  # type: ignore[assignment]
        check(line.send("POST", "/mcp", [*usual, *headers, ("Content-Length", b"%d" % len(body))], body))

    def call_tool(case: tuple[str, str, Any]) -> None:
        era, name, arguments = case
        params = {"name": name, "arguments": arguments}
        body = json.dumps(envelope("tools/call", params, era, 1)).encode()
        post(body, malformed.headers_for("tools/call", params, era))

    def send_envelope(case: tuple[Any, Headers]) -> None:
        body, headers = case
        clean = [(name, value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")) for name, value in headers]
        encoded = json.dumps(body).encode()
        check(
            line.send("POST", "/mcp", [*usual, *clean, ("Content-Length", b"%d" % len(encoded))], encoded),
            raw=True,
        )

    sample = json.dumps(envelope("tools/call", {"name": "stores_list", "arguments": {}}, "2025-11-25", 1)).encode()

    def send_headers(case: tuple[str, str, Headers]) -> None:
        method, path, headers = case
        check(line.send(method, path, [*headers, ("Content-Length", b"%d" % len(sample))], sample), raw=True)

    def send_one_fault(status: int, case: malformed.Request) -> None:
        method, path, headers, body = case
        answer = line.send(method, path, [*headers, ("Content-Length", b"%d" % len(body))], body)
        check(answer, raw=True)
        assert answer is not None
        assert answer[0] == status, answer

    try:
        # What is right but for one thing gets as far as the door that this one thing concerns.
        for status, requests in malformed.one_fault(usual, sample).items():
            repeat(ONE_FAULT_CASES, requests, functools.partial(send_one_fault, status))
        line.statuses.clear()
        tried = {
            "arguments": repeat(CASES["arguments"], tool_calls(bench, shops), call_tool),
            "envelopes": repeat(CASES["envelopes"], malformed.envelopes(), send_envelope),
            "bodies": repeat(CASES["bodies"], malformed.bodies(sample), post),
            "headers": repeat(CASES["headers"], malformed.header_sets(usual), send_headers),
        }
    finally:
        line.close()

    assert sum(tried.values()) >= LEAST_CASES * SCALE, tried
    assert handled(bench) - reached >= LEAST_HANDLED * SCALE
    # Each kind of refusal happened: nor are the other cases all refused at the first door.
    assert {200, 202, 400, 401, 403, 404, 405, 421} <= set(line.statuses), line.statuses

    assert bench.get("/health/ready").status_code == 200
    assert bench.process.exit_code is None
    samples = bench.samples()
    assert samples.total("unhandled_exceptions_total") == 0
    assert not [status for status in samples.labels("http_requests_total", "status") if status.startswith("5")]
    assert [event["event"] for event in bench.events() if "crashed" in event["event"]] == []
    assert [event for event in bench.events() if event.get("exception")] == []
    with bench.connect(shops[0].tenant) as client:
        assert not client.call_tool("stores_list").is_error

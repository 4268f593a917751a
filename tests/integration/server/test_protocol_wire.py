import json
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from server.tools.registry import ALL
from tests.integration.server.bench import ERAS, Bench, Shop, error_of, modern_call

LEGACY, MODERN = ERAS


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"])
def test_only_post_is_answered(method: str, bench: Bench) -> None:
    answer = httpx.request(method, bench.url, trust_env=False)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_call_without_a_valid_key_is_refused(post: Any, shop: Shop) -> None:
    body, headers = modern_call("tools/list")
    wrong = [None, "", "Bearer", "Bearer x", f"Basic {shop.tenant.key}", f"Bearer {shop.tenant.key}x", shop.tenant.key]
    for value in wrong:
        answer = post(body, **{**headers, "Authorization": value})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert error_of(answer)["code"] == -32001
    assert post(body, **{**headers, "Authorization": f"bearer  {shop.tenant.key} "}).status_code == 200


@pytest.mark.parametrize("value", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_only_json_is_read(value: str | None, post: Any) -> None:
    assert post({}, **{"Content-Type": value}).status_code == 415


def test_a_content_type_may_have_parameters(post: Any) -> None:
    body, headers = modern_call("tools/list")
    assert post(body, **{**headers, "Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_a_foreign_host_is_misdirected_and_a_foreign_origin_forbidden(post: Any) -> None:
    body, headers = modern_call("tools/list")
    assert post(body, **headers, Host="evil.example").status_code == 421
    assert post(body, **headers, Origin="https://evil.example").status_code == 403
    assert post(body, **headers, Origin="http://localhost:3000").status_code == 200
    # Neither is looked at only after the key.
    assert post(body, **{**headers, "Origin": "https://evil.example", "Authorization": None}).status_code == 403


def test_an_origin_may_be_allowed_by_setting(start: Any) -> None:
    bench = start(ALLOWED_ORIGINS="https://app.example.org", ALLOWED_HOSTS="mcp.example.org,127.0.0.1")
    assert httpx.get(f"{bench.base_url}/health", headers={"Host": "localhost"}, trust_env=False).status_code == 421
    for host, origin, status in (
        ("mcp.example.org", "https://app.example.org", 200),
        ("mcp.example.org:443", "https://mcp.example.org", 200),
        ("mcp.example.org", "https://other.example.org", 403),
    ):
        headers = {"Host": host, "Origin": origin}
        assert httpx.get(f"{bench.base_url}/health", headers=headers, trust_env=False).status_code == status


def test_a_body_that_is_too_large_or_too_deep_is_refused(post: Any) -> None:
    assert post(b" " * (1024 * 1024 + 1)).status_code == 413
    assert post(b"[" * 65 + b"]" * 65).status_code == 400
    assert error_of(post(b"[" * 65 + b"]" * 65))["code"] == "TOO_DEEP"
    assert error_of(post(b'{"a":' * 64 + b"1" + b"}" * 64))["code"] == -32600


@pytest.mark.parametrize("size", [60_000, 70_000, 200_000, 1024 * 1024])
def test_a_large_body_within_the_limit_is_read_and_its_connection_kept(size: int, bench: Bench, shop: Shop) -> None:
    body, headers = modern_call("tools/list")
    content = json.dumps(body).encode().ljust(size)
    whole = {**headers, "Content-Type": "application/json", "Authorization": f"Bearer {shop.tenant.key}"}
    with httpx.Client(trust_env=False) as http:
        for _ in range(3):
            answer = http.post(bench.url, content=content, headers=whole)
            assert answer.status_code == 200
            assert len(answer.json()["result"]["tools"]) == len(ALL)


def test_a_body_without_a_length_may_not_be_larger_either(bench: Bench, shop: Shop) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {shop.tenant.key}"}
    pieces = (b" " * 65_536 for _ in range(17))
    answer = httpx.post(bench.url, content=pieces, headers=headers, trust_env=False)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nope", b"\xff\xfe", b'{"a":1}{"b":2}', b'{"a":NaN}', b'"\\ud800"'], ids=repr
)
def test_what_is_not_json_is_a_parse_error(body: bytes, post: Any) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert error_of(answer)["code"] == -32700
    assert answer.json()["id"] is None


def test_every_answer_carries_its_request_id_and_keeps_a_plain_one_that_was_given(post: Any, bench: Bench) -> None:
    body, headers = modern_call("tools/list")
    given = post(body, **headers, **{"X-Request-ID": "trace-1-2_3"})
    assert given.headers["x-request-id"] == "trace-1-2_3"
    # A key sent here by mistake must not get into logs: it has a dot, so an id has none.
    for odd in ("with space", "x" * 65, "a.b", "new\tline", "<script>", ""):
        answer = post(body, **headers, **{"X-Request-ID": odd})
        assert answer.headers["x-request-id"] != odd
        assert len(answer.headers["x-request-id"]) == 16
    refused = post(b"{", Authorization=None)
    assert refused.headers["x-request-id"]
    logged = [event for event in bench.events("http.request") if event["request_id"] == "trace-1-2_3"]
    assert [(event["rpc_method"], event["status"]) for event in logged] == [("tools/list", 200)]


def test_a_request_id_follows_the_call_to_orderdesk_and_into_the_audit(post: Any, bench: Bench, shop: Shop) -> None:
    since = bench.upstream.control.last_sequence()
    arguments = {"order_id": shop.orders[0], "changes": {"order_notes": "Trace me"}}
    body, headers = modern_call("tools/call", {"name": "orders_update", "arguments": arguments})
    post(body, **headers, **{"X-Request-ID": f"trace-{shop.account.store_id}"})
    assert {entry["request_id"] for entry in bench.upstream.calls(shop.account, since)} == {
        f"trace-{shop.account.store_id}"
    }
    rows = bench.query("SELECT tool FROM audit WHERE request_id = ?", f"trace-{shop.account.store_id}")
    assert rows == [("orders_update",)]


def test_no_answer_may_be_stored_or_sniffed(bench: Bench, post: Any) -> None:
    body, headers = modern_call("tools/list")
    for answer in (post(body, **headers), post(b"{"), bench.get("/health"), bench.get("/nowhere")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


@pytest.mark.parametrize("header", ["Authorization", "Mcp-Method", "Mcp-Name", "MCP-Protocol-Version", "Origin"])
def test_a_header_that_is_given_twice_is_refused(header: str, bench: Bench, shop: Shop) -> None:
    body, headers = modern_call("tools/call", {"name": "stores_list", "arguments": {}})
    pairs = [("Content-Type", "application/json"), ("Authorization", f"Bearer {shop.tenant.key}"), *headers.items()]
    value = dict(pairs).get(header, "http://localhost")
    answer = httpx.post(
        bench.url, json=body, headers=[*pairs, (header, value), *([(header, value)] if header == "Origin" else [])],
        trust_env=False,
    )  # fmt: skip
    assert answer.status_code == 400


def test_a_client_that_sends_its_body_slowly_disturbs_nobody(bench: Bench, post: Any) -> None:
    address = urlsplit(bench.base_url)
    body, headers = modern_call("tools/list")
    with socket.create_connection((address.hostname, address.port)) as slow:
        slow.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        slow.sendall(b"Content-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        assert post(body, **headers).status_code == 200
        assert time.monotonic() - began < 2


def test_many_calls_at_once_get_each_their_own_answer(bench: Bench, post: Any) -> None:
    wrong: list[int] = []

    def ask(number: int) -> None:
        for turn in range(10):
            identity = number * 100 + turn
            if post({"jsonrpc": "2.0", "id": identity, "method": "ping"}).json()["id"] != identity:
                wrong.append(identity)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("path", ["/", "/nowhere", "/mcp/", "/health/", "/metrics/x", "/%2e%2e/etc/passwd", "/mcp%2f"])
def test_a_path_that_does_not_exist_is_json_and_not_found(path: str, bench: Bench) -> None:
    for method in ("GET", "POST"):
        answer = httpx.request(method, bench.base_url + path, trust_env=False)
        assert answer.status_code == 404
        assert error_of(answer)["code"] == "NOT_FOUND"
    assert httpx.post(f"{bench.base_url}/health", trust_env=False).status_code == 405

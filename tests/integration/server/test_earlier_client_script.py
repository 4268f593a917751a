"""The nine calls of the earlier server's own end-to-end script: what its users have in their set-ups must go on."""

import json
from typing import Any

import httpx
import pytest

from server.tools.registry import ALL
from tests.integration.server.bench import Bench, Shop


@pytest.fixture(scope="module")
def lenient(start_once: Any) -> Bench:
    """A server that takes keys in addresses."""
    bench: Bench = start_once(QUERY_TOKEN_ENABLED="true", LOG_LEVEL="debug")
    return bench


def script(shop: Shop) -> list[dict[str, Any]]:
    """The requests, in their order and without any header beside the content type."""

    def tool(name: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
        return "tools/call", {"name": name, "arguments": arguments}

    client = {"name": "e2e", "version": "1.0"}
    calls = [
        ("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client}),
        ("tools/list", {}),
        ("prompts/list", {}),
        ("resources/list", {}),
        tool("stores_list"),
        tool("orders_list", limit=5),
        tool("orders_get", order_id=shop.orders[0]),
        tool("orders_update", order_id=shop.orders[0], changes={"order_notes": [{"content": "From the script"}]}),
        tool("products_list", limit=5),
    ]
    return [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(calls, 1)
    ]


def post(bench: Bench, key: str, body: dict[str, Any]) -> httpx.Response:
    # A bare POST: of what a client library adds by itself, nothing is needed.
    return httpx.post(
        f"{bench.url}?token={key}",
        content=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        trust_env=False,
        timeout=15,
    )


def test_all_nine_calls_succeed_when_the_setting_is_on_and_the_key_is_never_logged(lenient: Bench) -> None:
    bench, shop = lenient, lenient.open_shop()
    results = []
    for body in script(shop):
        answer = post(bench, shop.tenant.key, body)
        assert answer.status_code == 200
        message = answer.json()
        assert message["id"] == body["id"]
        results.append(message["result"])
    initialized, tools, prompts, resources, *calls = results
    assert initialized["protocolVersion"] == "2024-11-05"
    assert len(tools["tools"]) == len(ALL)
    assert prompts["prompts"] == []
    assert resources["resources"] == []
    for call in calls:
        assert call["isError"] is False
        assert json.loads(call["content"][0]["text"]) == call["structuredContent"]
    stores, orders, order, updated, products = (call["structuredContent"] for call in calls)
    assert stores["stores"][0]["store_id"] == shop.account.store_id
    assert len(orders["orders"]) == 5
    assert str(order["order"]["id"]) == shop.orders[0]
    assert updated["message"] == f"Order {shop.orders[0]} updated successfully"
    assert len(products["products"]) == 5
    assert bench.upstream.order(shop.account, shop.orders[0])["order_notes"][-1]["content"] == "From the script"

    # A wrong key in the address is refused, and neither key stands in the log.
    assert post(bench, shop.tenant.key[:-1], script(shop)[1]).status_code == 401
    assert len(bench.events("http.request")) >= 10
    assert shop.tenant.key.partition(".")[2][:-1] not in bench.log.read_text()


def test_all_nine_calls_are_refused_when_the_setting_is_off(bench: Bench, shop: Shop) -> None:
    since = bench.upstream.control.last_sequence()
    for body in script(shop):
        assert post(bench, shop.tenant.key, body).status_code == 401
    assert bench.upstream.calls(shop.account, since) == []
    assert shop.tenant.key.partition(".")[2] not in bench.log.read_text()


def test_a_key_in_the_header_wins_over_one_in_the_address(lenient: Bench) -> None:
    first, second = lenient.open_shop(), lenient.new_tenant()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stores_list"}}
    answer = httpx.post(
        f"{lenient.url}?token={first.tenant.key}",
        json=body,
        headers={"Authorization": f"Bearer {second.key}"},
        trust_env=False,
    )
    assert answer.json()["result"]["structuredContent"]["stores"] == []
    wrong = httpx.post(
        f"{lenient.url}?token={first.tenant.key}", json=body, headers={"Authorization": "Bearer x"}, trust_env=False
    )
    assert wrong.status_code == 401

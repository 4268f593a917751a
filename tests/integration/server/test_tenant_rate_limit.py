import time
from collections import Counter
from typing import Any

import pytest

from harness.client import Client, RpcError
from tests.integration.server.bench import ERAS, Bench, succeed


@pytest.fixture(scope="module")
def limited(start_once: Any) -> Bench:
    """A server that gives a tenant 12 tokens and one more each 10 seconds."""
    bench: Bench = start_once(RATE_LIMIT_RPM="6")
    return bench


def spend(client: Client, calls: int) -> Counter[str]:
    """How many of a tenant's calls passed and how many were refused."""
    outcomes = Counter[str]()
    for _ in range(calls):
        outcome = client.call_tool("stores_list")
        assert outcome.structured is not None
        outcomes[outcome.structured.get("error", {}).get("code", "success")] += 1
    return outcomes


def test_a_tenant_has_its_reserve_and_is_then_told_how_long_to_wait(limited: Bench) -> None:
    greedy, modest = limited.new_tenant(), limited.new_tenant()
    began = time.monotonic()
    with limited.connect(greedy, ERAS[1]) as client, limited.connect(modest, ERAS[0]) as other:
        outcomes = spend(client, 30)
        # server/discover cost one token; the reserve is twice the rate of a minute.
        earned = int((time.monotonic() - began) / 10)
        assert 11 <= outcomes["success"] <= 11 + earned + 1
        assert outcomes["RATE_LIMIT_EXCEEDED"] == 30 - outcomes["success"]

        refused = client.call_tool("stores_list")
        assert refused.is_error
        assert refused.http_status == 200
        assert refused.structured is not None
        error = refused.structured["error"]
        assert error["code"] == "RATE_LIMIT_EXCEEDED"
        assert error["details"]["limit"] == "tenant"
        assert 1 <= error["details"]["retry_after_seconds"] <= 10
        assert refused.headers["retry-after"] == str(error["details"]["retry_after_seconds"])

        with pytest.raises(RpcError) as listing:
            client.list_tools()
        assert listing.value.status == 429
        assert int(listing.value.headers["retry-after"]) == listing.value.data["retry_after_seconds"]

        # Another tenant is not slowed down.
        assert spend(other, 5) == {"success": 5}
    samples = limited.samples()
    assert samples.total("rate_limit_hits_total", tenant_id=greedy.id, limit_type="tenant") >= 19
    assert samples.total("rate_limit_hits_total", tenant_id=modest.id) == 0
    assert samples.total("rate_limit_tokens_available", tenant_id=greedy.id) < 1
    assert samples.total("errors_total", error_code="RATE_LIMIT_EXCEEDED") >= 19


def test_a_write_costs_twice_a_read_and_a_refused_one_changes_nothing(limited: Bench) -> None:
    shop = limited.open_shop()  # its discovery and its registration: 3 tokens
    since = limited.upstream.control.last_sequence()
    asked = {"order_id": shop.orders[0], "changes": {"order_notes": "Hello"}}
    with limited.connect(shop.tenant, ERAS[0]) as client:  # initialize: 1 token
        succeed(client, "orders_update", asked)
        assert limited.samples().total("rate_limit_tokens_available", tenant_id=shop.tenant.id) == pytest.approx(6, 0.2)
        spend(client, 5)
        outcome = client.call_tool("orders_update", {**asked, "changes": {"order_notes": "Too much"}})
        assert outcome.is_error
        assert "RATE_LIMIT_EXCEEDED" in outcome.text
    assert len(limited.upstream.calls(shop.account, since, "PUT")) == 1


def test_the_audit_and_the_metrics_count_exactly_the_calls_that_were_made(bench: Bench) -> None:
    before = bench.samples()
    tenant = bench.new_tenant()
    with bench.connect(tenant) as client:
        outcomes = spend(client, 40)
        client.call_tool("stores_resolve", {"identifier": "nothing"})
    assert outcomes == {"success": 40}
    after = bench.samples()
    for tool, status, calls in (("stores_list", "success", 40), ("stores_resolve", "error", 1)):
        labels = {"tool_name": tool, "status": status}
        grew = after.total("mcp_tool_calls_total", **labels) - before.total("mcp_tool_calls_total", **labels)
        assert grew == calls
    deadline = time.monotonic() + 5
    rows: list[tuple[Any, ...]] = []
    while len(rows) < 2 and time.monotonic() < deadline:
        rows = bench.query(
            "SELECT tool, status, error_code, count(*), count(DISTINCT request_id) FROM audit "
            "WHERE tenant_id = ? AND key_id <> 'operator' GROUP BY tool, status ORDER BY tool",
            tenant.id,
        )
    assert rows == [
        ("stores_list", "success", None, 40, 40),
        ("stores_resolve", "error", "STORE_NOT_FOUND", 1, 1),
    ]


@pytest.mark.parametrize("params", [{}, {"name": 7}, {"name": "stores_list", "arguments": []}])
def test_a_call_that_no_tool_could_be_charged_for_costs_a_token(limited: Bench, params: dict[str, Any]) -> None:
    with limited.connect(limited.new_tenant(), ERAS[0]) as client:  # initialize: 1 token
        codes = Counter[int]()
        for _ in range(20):
            with pytest.raises(RpcError) as refused:
                client.request("tools/call", params)
            codes[refused.value.code] += 1
    assert codes[-32003] >= 7
    assert codes[-32602] >= 11

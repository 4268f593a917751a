import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from harness.client import RpcError
from harness.sandbox.faults import Latency, Match, ServerError
from server.telemetry.metrics import Metrics
from server.tools.registry import ALL
from tests.integration.server.bench import Bench, Samples, Shop, fail, succeed
from tests.integration.server.test_webhook import deliver

ALWAYS = {"quartermaster_build_info", "db_pool_size", "db_pool_available", "db_pool_waiting", "active_tenants_total"}
ONLY_ON_TROUBLE = {
    "audit_rows_dropped_total",
    "audit_rows_waiting",
    "db_pool_waiting",
    "error_events_dropped_total",
    "retention_rows_removed_total",
    "orderdesk_breakers_open",
    "orderdesk_breaker_openings_total",
}


def play(bench: Bench, shop: Shop) -> Samples:
    """A session in which everything that is counted happens at least once; the metrics while a call is under way."""
    httpx.get(f"{bench.base_url}/nowhere", trust_env=False)
    httpx.post(bench.url, json={}, trust_env=False)
    httpx.post(f"{bench.base_url}/webhooks/orderdesk", trust_env=False)
    only = Match(store_id=shop.account.store_id)
    with bench.connect(shop.tenant) as client, ThreadPoolExecutor(1) as pool:
        order_id = shop.orders[0]
        succeed(client, "orders_get", {"order_id": order_id})
        succeed(client, "orders_get", {"order_id": order_id})
        succeed(client, "orders_list", {"limit": 2})
        succeed(client, "products_list", {"limit": 2})
        fail(client, "orders_get", {"order_id": "999999999"})
        with contextlib.suppress(RpcError):
            client.call_tool("no_such_tool")
        succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_notes": "Counted"}})
        bench.upstream.control.set_faults(ServerError(count=1, match=only))
        succeed(client, "orders_get", {"order_id": shop.orders[1]})
        bench.upstream.control.set_faults(Latency(milliseconds=900, match=only))
        call = pool.submit(succeed, client, "orders_get", {"order_id": shop.orders[2]})
        deadline = time.monotonic() + 5
        while not bench.upstream.control.faults()[0]["fired"]:
            assert time.monotonic() < deadline
        during = bench.samples()
        call.result()
        bench.upstream.control.clear_faults()
        while not client.call_tool("orders_list").is_error:
            assert time.monotonic() < deadline + 10, "the tenant's limit was never reached"
    return during


def test_every_metric_of_the_contract_is_really_set(start: Any) -> None:
    bench = start(RATE_LIMIT_RPM="20")
    shop = bench.open_shop()
    during = play(bench, shop)
    assert during.total("mcp_tool_calls_in_progress", tool_name="orders_get") == 1
    assert during.total("http_requests_in_progress", method="POST") == 1
    # A row that cannot be unsealed is a fault that no code expects.
    other = bench.open_shop()
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute("UPDATE stores SET sealed_api_key = x'00' WHERE tenant_id = ?", (other.tenant.id,))
        connection.commit()
    with bench.connect(other.tenant) as client:
        deadline = time.monotonic() + 5
        while not client.call_tool("orders_list").is_error:
            assert time.monotonic() < deadline, "the snapshot of the stores never expired"
            time.sleep(0.2)
    samples = bench.samples()
    expected = {
        ("http_requests_total", (("endpoint", "/mcp"), ("method", "POST"), ("status", "200"))),
        ("http_requests_total", (("endpoint", "/mcp"), ("method", "POST"), ("status", "401"))),
        ("http_requests_total", (("endpoint", "unmatched"), ("method", "GET"), ("status", "404"))),
        ("http_request_duration_seconds_count", (("endpoint", "/mcp"), ("method", "POST"))),
        ("mcp_tool_calls_total", (("status", "success"), ("tool_name", "orders_get"))),
        ("mcp_tool_calls_total", (("status", "error"), ("tool_name", "orders_get"))),
        ("mcp_tool_calls_total", (("status", "error"), ("tool_name", "unknown"))),
        ("webhook_deliveries_total", (("outcome", "malformed"),)),
        ("mcp_tool_duration_seconds_count", (("tool_name", "orders_update"),)),
        ("cache_operations_total", (("operation", "hit"), ("resource_type", "orders"))),
        ("cache_operations_total", (("operation", "miss"), ("resource_type", "order_lists"))),
        ("cache_operations_total", (("operation", "store"), ("resource_type", "product_lists"))),
        ("cache_operations_total", (("operation", "invalidate"), ("resource_type", "orders"))),
        ("cache_size_bytes", (("backend", "memory"),)),
        ("cache_items_total", (("resource_type", "orders"),)),
        ("db_query_duration_seconds_count", (("operation", "select"),)),
        ("db_query_duration_seconds_count", (("operation", "insert"),)),
        ("db_query_duration_seconds_sum", (("operation", "commit"),)),
        ("disk_free_bytes", ()),
        ("disk_reserve_bytes", ()),
        ("db_connections_total", (("operation", "open"),)),
        ("db_pool_size", ()),
        ("db_pool_available", ()),
        ("errors_total", (("endpoint", "/mcp"), ("error_code", "NOT_FOUND"), ("error_type", "tool"))),
        ("errors_total", (("endpoint", "/mcp"), ("error_code", "RATE_LIMIT_EXCEEDED"), ("error_type", "tool"))),
        ("unhandled_exceptions_total", ()),
        ("rate_limit_hits_total", (("limit_type", "tenant"), ("tenant_id", shop.tenant.id))),
        ("rate_limit_tokens_available", (("tenant_id", other.tenant.id),)),
        ("orderdesk_api_calls_total", (("endpoint", "/orders/{id}"), ("method", "GET"), ("status", "200"))),
        ("orderdesk_api_calls_total", (("endpoint", "/orders/{id}"), ("method", "PUT"), ("status", "200"))),
        ("orderdesk_api_duration_seconds_count", (("endpoint", "/inventory-items"), ("method", "GET"))),
        ("orderdesk_api_retries_total", (("reason", "http_503"),)),
        ("auth_attempts_total", (("status", "success"),)),
        ("auth_attempts_total", (("status", "missing"),)),
        ("event_loop_lag_seconds_count", ()),
        ("active_tenants_total", ()),
        ("quartermaster_build_info", ()),
    }
    assert [(name, labels) for name, labels in sorted(expected) if samples.total(name, **dict(labels)) <= 0] == []
    assert samples.total("mcp_tool_calls_in_progress") == 0
    assert samples.total("active_tenants_total") == 2

    seen = {name.removesuffix("_count") for name, _ in expected} | {
        "mcp_tool_calls_in_progress",
        "http_requests_in_progress",
    }
    families = {metric.name for metric in Metrics("0", "test").registry.collect() if not metric.name.startswith("proc")}
    named = {name.removesuffix("_total") for name in seen} | seen
    assert families - named - {name.removesuffix("_total") for name in ONLY_ON_TROUBLE} == set()


def test_errors_beside_the_mcp_endpoint_are_counted_by_the_route_they_were_made_at(start: Any) -> None:
    bench = start()
    with httpx.Client(base_url=bench.base_url, trust_env=False) as http:
        for number in range(3):
            http.get(f"/nowhere/{number}")
        http.post("/health")
        http.get("/webhooks/orderdesk")
        http.get("/metrics")
        http.get("/health/detailed", headers={"Authorization": "Bearer wrong"})
    samples = bench.samples()
    counted = {
        (code, endpoint): samples.total("errors_total", error_type="http", error_code=code, endpoint=endpoint)
        for code in samples.labels("errors_total", "error_code")
        for endpoint in samples.labels("errors_total", "endpoint")
    }
    assert {key: count for key, count in counted.items() if count} == {
        ("NOT_FOUND", "unmatched"): 3,
        ("METHOD_NOT_ALLOWED", "/health"): 1,
        ("METHOD_NOT_ALLOWED", "/webhooks/orderdesk"): 1,
        ("AUTH_ERROR", "/metrics"): 1,
        ("AUTH_ERROR", "/health/detailed"): 1,
    }


def test_a_fault_beside_the_mcp_endpoint_is_counted_logged_and_answered_as_one_at_it(start: Any) -> None:
    bench = start()
    shop = bench.open_shop()
    with contextlib.closing(sqlite3.connect(bench.database)) as connection:
        connection.execute("ALTER TABLE stores RENAME TO elsewhere")
    answer = deliver(bench, shop.account, "{}", X_Request_Id="broken-1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert answer.json()["error"]["request_id"] == "broken-1"
    assert bench.samples().total("unhandled_exceptions_total", exception_type="OperationalError") == 1
    (crashed,) = bench.events("http.crashed")
    assert (crashed["request_id"], crashed["endpoint"]) == ("broken-1", "/webhooks/orderdesk")


def test_durations_are_real_seconds(bench: Bench, shop: Shop) -> None:
    (product,) = bench.upstream.request(shop.account, "GET", "/inventory-items?limit=1")["inventory_items"]
    before = bench.samples()
    bench.upstream.control.set_faults(Latency(milliseconds=600, match=Match(store_id=shop.account.store_id)))
    with bench.connect(shop.tenant) as client:
        succeed(client, "products_get", {"product_id": product["id"]})
    after = bench.samples()

    def grew(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    for name, labels in (
        ("mcp_tool_duration_seconds_sum", {"tool_name": "products_get"}),
        ("orderdesk_api_duration_seconds_sum", {"endpoint": "/inventory-items/{id}"}),
        ("http_request_duration_seconds_sum", {"endpoint": "/mcp"}),
    ):
        assert 0.6 <= grew(name, **labels) < 5


def test_labels_stay_bounded_whatever_clients_send(start: Any) -> None:
    bench = start()
    tenant = bench.new_tenant()
    with httpx.Client(base_url=bench.base_url, trust_env=False) as http:
        for number in range(60):
            http.get(f"/random/{number}")
            http.request(f"METHOD{number}", f"/health?x={number}")
        with bench.connect(tenant) as client:
            for number in range(30):
                with contextlib.suppress(RpcError):
                    client.call_tool(f"tool_{number}")
                with contextlib.suppress(RpcError):
                    client.request(f"method/{number}")
                client.call_tool("orders_get", {"order_id": str(number), "store_identifier": f"store {number}"})
    samples = bench.samples()
    endpoints = {"/mcp", "/health", "/health/live", "/health/ready", "/health/detailed", "/metrics", "unmatched"}
    assert samples.labels("http_requests_total", "endpoint") <= endpoints
    assert samples.labels("http_requests_total", "method") <= {"GET", "POST", "OTHER"}
    assert len(samples.labels("mcp_tool_calls_total", "tool_name")) == len(ALL) + 1
    assert samples.total("mcp_tool_calls_total", tool_name="unknown") == 30
    assert len(samples.labels("errors_total", "error_code")) < 20

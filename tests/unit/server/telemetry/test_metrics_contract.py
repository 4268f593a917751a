import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from server.telemetry.metrics import OVERFLOW, TENANT_LABEL_LIMIT, Metrics

HTTP = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
TOOL = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DATABASE = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
UPSTREAM = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30)

# Names, labels and buckets that dashboards and alerts rely on.
CONTRACT: dict[str, tuple[type[MetricWrapperBase], str, tuple[float, ...]]] = {
    "http_requests_total": (Counter, "method endpoint status", ()),
    "http_request_duration_seconds": (Histogram, "method endpoint", HTTP),
    "http_requests_in_progress": (Gauge, "method", ()),
    "mcp_tool_calls_total": (Counter, "tool_name status", ()),
    "mcp_tool_duration_seconds": (Histogram, "tool_name", TOOL),
    "mcp_tool_calls_in_progress": (Gauge, "tool_name", ()),
    "cache_operations_total": (Counter, "operation resource_type", ()),
    "cache_size_bytes": (Gauge, "backend", ()),
    "cache_items_total": (Gauge, "resource_type", ()),
    "db_query_duration_seconds": (Histogram, "operation", DATABASE),
    "db_connections_total": (Counter, "operation", ()),
    "db_pool_size": (Gauge, "", ()),
    "db_pool_available": (Gauge, "", ()),
    "errors_total": (Counter, "error_type error_code endpoint", ()),
    "unhandled_exceptions_total": (Counter, "exception_type", ()),
    "rate_limit_hits_total": (Counter, "tenant_id limit_type", ()),
    "rate_limit_tokens_available": (Gauge, "tenant_id", ()),
    "orderdesk_api_calls_total": (Counter, "endpoint method status", ()),
    "orderdesk_api_duration_seconds": (Histogram, "endpoint method", UPSTREAM),
    "orderdesk_api_retries_total": (Counter, "reason", ()),
    "auth_attempts_total": (Counter, "status", ()),
    "active_tenants_total": (Gauge, "", ()),
}
BUILD = "quartermaster_build_info"


def declared(metrics: Metrics) -> dict[str, MetricWrapperBase]:
    """Every metric by the name under which its samples appear (a counter's ends in _total)."""
    found = {}
    for collector in set(metrics.registry._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            found[collector._name + ("_total" if isinstance(collector, Counter) else "")] = collector
    return found


@pytest.mark.parametrize("name", CONTRACT)
def test_a_metric_of_the_contract_is_declared_with_exactly_its_labels_and_buckets(name: str, metrics: Metrics) -> None:
    kind, labels, buckets = CONTRACT[name]
    metric = declared(metrics)[name]
    assert type(metric) is kind
    assert list(metric._labelnames) == labels.split()
    if isinstance(metric, Histogram):
        assert tuple(metric._kwargs["buckets"]) == buckets


def test_what_is_declared_beyond_the_contract_is_known() -> None:
    assert set(declared(Metrics("0", "development"))) - set(CONTRACT) == {
        BUILD,
        "audit_rows_dropped_total",
        "audit_rows_waiting",
        "db_pool_waiting",
        "disk_free_bytes",
        "disk_reserve_bytes",
        "error_events_dropped_total",
        "event_loop_lag_seconds",
        "orderdesk_breakers_open",
        "orderdesk_breaker_openings_total",
        "retention_rows_removed_total",
        "webhook_deliveries_total",
    }


def test_the_build_is_told_with_version_python_and_environment() -> None:
    metrics = Metrics("1.2.3", "staging")
    (info,) = [family for family in metrics.registry.collect() if family.name == BUILD]
    (sample,) = info.samples
    assert sample.labels["version"] == "1.2.3"
    assert sample.labels["environment"] == "staging"
    assert set(sample.labels) == {"version", "environment", "python"}
    assert sample.value == 1


def test_the_exposition_is_prometheus_text_with_the_names_of_the_contract(metrics: Metrics) -> None:
    families = {family.name for family in text_string_to_metric_families(metrics.exposition().decode())}
    assert {name.removesuffix("_total") if CONTRACT[name][0] is Counter else name for name in CONTRACT} <= families
    assert not any(name.endswith("_created") for name in families)


def test_tenant_labels_are_capped_with_an_overflow_value(metrics: Metrics) -> None:
    labels = {metrics.tenant_label(f"t_{number}") for number in range(TENANT_LABEL_LIMIT * 3)}
    assert len(labels) == TENANT_LABEL_LIMIT + 1
    assert metrics.tenant_label("t_0") == "t_0"
    assert metrics.tenant_label("another") == OVERFLOW
    assert metrics.tenant_label(f"t_{TENANT_LABEL_LIMIT}") == OVERFLOW


def test_two_servers_in_one_process_do_not_mix(metrics: Metrics) -> None:
    other = Metrics("0", "development")
    metrics.auth_attempts.labels("success").inc()
    assert other.registry.get_sample_value("auth_attempts_total", {"status": "success"}) is None

"""Every Prometheus metric, declared once with the names and labels that dashboards rely on (ORDERDESK contract)."""

from __future__ import annotations

import platform
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

HTTP_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
TOOL_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DATABASE_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)
ORDERDESK_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30)
LOOP_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

TENANT_LABEL_LIMIT: Final = 200
OVERFLOW: Final = "overflow"

# A creation time per series doubles the exposition and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Level:
    """How many there are just now, in a plain number that a gauge shows: to count costs a tenth of a gauge's own."""

    def __init__(self, gauge: Gauge) -> None:
        self.value = 0
        gauge.set_function(lambda: self.value)


class Metrics:
    """The metrics of one server process, in a registry of its own so that two servers in a test do not mix."""

    def __init__(self, version: str, environment: str) -> None:
        self.registry = registry = CollectorRegistry()
        self.http_requests = Counter(
            "http_requests", "HTTP requests answered", ["method", "endpoint", "status"], registry=registry
        )
        self.http_request_duration = Histogram(
            "http_request_duration_seconds",
            "Time from a request's first byte to its response's last",
            ["method", "endpoint"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
        self.http_requests_in_progress = Gauge(
            "http_requests_in_progress", "HTTP requests being answered", ["method"], registry=registry
        )
        self.tool_calls = Counter("mcp_tool_calls", "Tool calls by outcome", ["tool_name", "status"], registry=registry)
        self.tool_duration = Histogram(
            "mcp_tool_duration_seconds", "Time in a tool", ["tool_name"], buckets=TOOL_BUCKETS, registry=registry
        )
        self.tool_calls_in_progress = Gauge(
            "mcp_tool_calls_in_progress", "Tool calls being answered", ["tool_name"], registry=registry
        )
        self.cache_operations = Counter(
            "cache_operations",
            "Cache hits, misses, joins (single flight), stores, evictions and invalidations",
            ["operation", "resource_type"],
            registry=registry,
        )
        self.cache_size = Gauge("cache_size_bytes", "Bytes held by the cache", ["backend"], registry=registry)
        self.cache_items = Gauge("cache_items_total", "Entries in the cache", ["resource_type"], registry=registry)
        self.database_query_duration = Histogram(
            "db_query_duration_seconds",
            "Time in the database driver, by statement kind",
            ["operation"],
            buckets=DATABASE_BUCKETS,
            registry=registry,
        )
        self.database_connections = Counter(
            "db_connections", "Database connections opened and closed", ["operation"], registry=registry
        )
        self.database_pool_size = Gauge("db_pool_size", "Connections the pool may hold", registry=registry)
        self.database_pool_available = Gauge(
            "db_pool_available", "Connections that can be had without waiting", registry=registry
        )
        self.database_pool_waiting = Gauge(
            "db_pool_waiting", "Requests and rounds that wait for a connection of the pool", registry=registry
        )
        self.errors = Counter(
            "errors", "Errors answered to clients", ["error_type", "error_code", "endpoint"], registry=registry
        )
        self.unhandled_exceptions = Counter(
            "unhandled_exceptions", "Exceptions that no code expected", ["exception_type"], registry=registry
        )
        self.error_events_dropped = Counter(
            "error_events_dropped",
            "Events that were to be told to Sentry and were not, by reason",
            ["reason"],
            registry=registry,
        )
        self.rate_limit_hits = Counter(
            "rate_limit_hits", "Calls refused by a limit", ["tenant_id", "limit_type"], registry=registry
        )
        self.rate_limit_tokens = Gauge(
            "rate_limit_tokens_available", "Tokens left to a tenant", ["tenant_id"], registry=registry
        )
        self.orderdesk_calls = Counter(
            "orderdesk_api_calls", "Calls to OrderDesk", ["endpoint", "method", "status"], registry=registry
        )
        self.orderdesk_duration = Histogram(
            "orderdesk_api_duration_seconds",
            "Time in OrderDesk",
            ["endpoint", "method"],
            buckets=ORDERDESK_BUCKETS,
            registry=registry,
        )
        self.orderdesk_retries = Counter(
            "orderdesk_api_retries", "Calls to OrderDesk tried again", ["reason"], registry=registry
        )
        self.breakers_open = Gauge(
            "orderdesk_breakers_open", "Accounts whose calls are held back: OrderDesk was not there", registry=registry
        )
        self.breaker_openings = Counter(
            "orderdesk_breaker_openings", "Times that an account's calls began to be held back", registry=registry
        )
        self.webhook_deliveries = Counter(
            "webhook_deliveries", "Webhook deliveries by outcome", ["outcome"], registry=registry
        )
        self.auth_attempts = Counter("auth_attempts", "Authentications by outcome", ["status"], registry=registry)
        self.active_tenants = Gauge("active_tenants_total", "Tenants seen in the last five minutes", registry=registry)
        self.audit_dropped = Counter(
            "audit_rows_dropped", "Audit rows lost because the database refused them too long", registry=registry
        )
        self.audit_waiting = Gauge(
            "audit_rows_waiting", "Audit rows that the database has not taken yet", registry=registry
        )
        self.event_loop_lag = Histogram(
            "event_loop_lag_seconds",
            "How long after its time a timer got its turn on the event loop, twenty times a second",
            buckets=LOOP_BUCKETS,
            registry=registry,
        )
        self.disk_free = Gauge("disk_free_bytes", "Bytes free on the database's disk", registry=registry)
        self.disk_reserve = Gauge(
            "disk_reserve_bytes", "Free bytes at or below which writes are refused", registry=registry
        )
        self.retention_removed = Counter(
            "retention_rows_removed", "Rows deleted because they were old enough", ["table"], registry=registry
        )
        build = Gauge("quartermaster_build_info", "Always 1", ["version", "python", "environment"], registry=registry)
        build.labels(version, platform.python_version(), environment).set(1)
        ProcessCollector(registry=registry)
        self._tenant_labels: dict[str, str] = {}

    def tenant_label(self, tenant_id: str) -> str:
        """The label value of a tenant: its id for the first TENANT_LABEL_LIMIT, OVERFLOW for all later ones."""
        label = self._tenant_labels.get(tenant_id)
        if label is None:
            if len(self._tenant_labels) >= TENANT_LABEL_LIMIT:
                return OVERFLOW
            label = self._tenant_labels[tenant_id] = tenant_id
        return label

    def exposition(self) -> bytes:
        """All samples in Prometheus' text format."""
        return generate_latest(self.registry)

"""What is recommended for each environment: where it differs from a setting's default, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from server.settings import SECRET_SETTINGS, Environment, Settings

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

ENVIRONMENTS: Final[tuple[Environment, ...]] = get_args(Environment)
CONFIGURATION: Final = "/etc/quartermaster"
STATE: Final = "/var/lib/quartermaster"

# Every setting stands in one section, in the order in which an operator meets it.
SECTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Environment": ("environment", "log_level"),
    "Network": ("host", "port", "allowed_hosts", "allowed_origins", "query_token_enabled", "wrong_keys_per_minute"),
    "Secrets": ("master_key", "admin_token", "tenant_key"),
    "Storage": (
        "database_url",
        "disk_reserve_bytes",
        "write_retention_days",
        "audit_retention_days",
        "statement_log",
    ),
    "Error tracking": ("sentry_dsn", "sentry_traces_sample_rate"),
    "Tools": ("toolsets", "rate_limit_rpm", "destructive_cap_per_hour"),
    "OrderDesk": ("orderdesk_base_url", "http_timeout_seconds", "http_max_retries", "mutation_max_retries"),
    "Cache": (
        "cache_max_bytes",
        "cache_ttl_orders_seconds",
        "cache_ttl_products_seconds",
        "cache_ttl_lists_seconds",
        "cache_ttl_store_seconds",
    ),
    "Requests": ("max_body_bytes", "max_json_depth"),
    "Time-outs (client > proxy > call; stop > drain > call)": (
        "client_timeout_seconds",
        "proxy_timeout_seconds",
        "call_deadline_seconds",
        "stop_timeout_seconds",
        "drain_seconds",
    ),
}


@dataclass(frozen=True)
class Recommendation:
    """The value of a setting for each environment, as it stands in the environment; None for the default."""

    why: str
    development: str | None = None
    staging: str | None = None
    production: str | None = None


RECOMMENDED: Final[Mapping[str, Recommendation]] = {
    "environment": Recommendation("The one variable that says where this is.", "development", "staging", "production"),
    "log_level": Recommendation("Every step while developing; production refuses it.", development="debug"),
    "allowed_hosts": Recommendation(
        "Put your public host name in the place of the example; loopback stays for the proxy's and operators' checks.",
        staging="mcp-staging.example.com,localhost,127.0.0.1",
        production="mcp.example.com,localhost,127.0.0.1",
    ),
    "database_url": Recommendation(
        "An absolute path, on a disk that is backed up.",
        staging=f"sqlite:///{STATE}/app.db",
        production=f"sqlite:///{STATE}/app.db",
    ),
    "disk_reserve_bytes": Recommendation(
        "256 MiB: room for the outcomes of writes and for a snapshot while somebody makes space.",
        staging=str(256 * 1024 * 1024),
        production=str(256 * 1024 * 1024),
    ),
    "write_retention_days": Recommendation("Before-images hold customers' data: no longer than of use.", "7", "14"),
    "audit_retention_days": Recommendation("As long as somebody may ask who did it.", "7", "30"),
    "toolsets": Recommendation("Everything can be tried; elsewhere each toolset costs clients context.", "all"),
    "rate_limit_rpm": Recommendation("Test clients are not to wait.", "1200"),
}


def default_of(name: str) -> str:
    """A setting's default as it would stand in the environment; empty where it has none."""
    field: FieldInfo = Settings.model_fields[name]
    return "" if field.is_required() else in_environment(field.default)


def recommended(name: str, environment: Environment) -> str:
    """A setting's value for an environment; empty for a secret, which nobody can recommend."""
    if name in SECRET_SETTINGS:
        return ""
    advice = RECOMMENDED.get(name)
    value = getattr(advice, environment) if advice else None
    return default_of(name) if value is None else value


def in_environment(value: object) -> str:
    """A value as an environment variable holds it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

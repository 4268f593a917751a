"""The server's settings: read from the environment alone, typed, and refused with every problem listed at once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from server.rules import KEY_HINT, LOOPBACK, TOOLSETS, problems_of

Environment = Literal["development", "staging", "production"]


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]

SECRET_SETTINGS: Final = ("master_key", "admin_token", "tenant_key", "sentry_dsn")


class SettingsError(Exception):
    """The environment cannot be used; `problems` holds one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseModel):
    """One field per environment variable of the same name in capitals; an empty variable counts as unset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Environment = Field("development", description="Which rules apply: production refuses unsafe values")
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes any free one")
    database_url: str = Field(
        "sqlite:///data/app.db", description="The SQLite file that holds tenants, stores, writes, audit rows"
    )
    master_key: SecretStr = Field(
        description="32 random bytes in base64url; or several such keys, blanks between them: the first seals, all open"
    )
    admin_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics and /health/detailed; without it both are closed"
    )
    tenant_key: SecretStr | None = Field(None, description="The tenant key that stdio answers for; needed there only")
    orderdesk_base_url: str = Field(
        "https://app.orderdesk.me/api/v2", pattern=r"^https?://[^\s?#]+$", description="The OrderDesk API"
    )
    rate_limit_rpm: int = Field(120, ge=1, le=1_000_000_000, description="Tokens a tenant earns per minute")
    http_timeout_seconds: float = Field(30, gt=0, le=600, description="Limit of one try of a call to OrderDesk")
    http_max_retries: int = Field(3, ge=0, le=10, description="Further tries of a read that failed")
    mutation_max_retries: int = Field(5, ge=0, le=20, description="Further tries of an update that met a conflict")
    call_deadline_seconds: float = Field(45, gt=0, le=600, description="Limit of a whole tool call, waiting included")
    cache_ttl_orders_seconds: float = Field(15, ge=0, le=86_400, description="How old a cached order may be")
    cache_ttl_products_seconds: float = Field(60, ge=0, le=86_400, description="How old a cached product may be")
    cache_ttl_lists_seconds: float = Field(
        10,
        ge=0,
        le=86_400,
        description="How old a cached page of orders or products may be, and no older than one of them may be",
    )
    cache_ttl_store_seconds: float = Field(
        300, ge=0, le=86_400, description="How old a store's cached settings and folders may be"
    )
    cache_max_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="Bytes the cache may hold")
    allowed_hosts: CommaList = Field(LOOPBACK, description="Host names answered, without port; others get 421")
    allowed_origins: CommaList = Field(
        (), description="Browser origins answered besides those on an allowed host; others get 403"
    )
    query_token_enabled: bool = Field(
        default=False, description="Accept a tenant key as ?token=KEY (old clients); refused in production"
    )
    wrong_keys_per_minute: int = Field(
        10,
        ge=1,
        le=1_000_000_000,
        description="Wrong keys a minute that get 401 under one key id, and six times as many from one address; further"
        " ones get 429, a right key never",
    )
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body")
    max_json_depth: int = Field(64, ge=4, le=512, description="Deepest nesting of a request's JSON")
    toolsets: CommaList = Field(
        ("stores", "orders", "products"), description=f"Tools offered, by set: any of {', '.join(TOOLSETS)}; or all"
    )
    destructive_cap_per_hour: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="Objects that one tenant may create, move, delete or batch in any hour; updates of one object are"
        " not counted, for each has a before-image and can be reverted",
    )
    write_retention_days: int = Field(
        30, ge=1, le=3650, description="How long writes and their before-images are kept, for writes revert"
    )
    audit_retention_days: int = Field(90, ge=1, le=3650, description="How long audit rows are kept")
    disk_reserve_bytes: int = Field(
        64 * 1024 * 1024, ge=0, description="Free space under which writes are refused; reads go on"
    )
    drain_seconds: int = Field(50, ge=1, le=600, description="How long a stopping server waits for calls in flight")
    stop_timeout_seconds: int = Field(
        75, ge=1, le=3600, description="When the service manager kills a stopping server; told here to be checked"
    )
    proxy_timeout_seconds: int = Field(
        50, ge=1, le=3600, description="How long the proxy in front waits for an answer; told here to be checked"
    )
    client_timeout_seconds: int = Field(
        60, ge=1, le=3600, description="How long clients wait for an answer; told here to be checked"
    )
    statement_log: Path | None = Field(
        None, description="File that gets every SQL statement with its parameters, to audit them; refused in production"
    )
    sentry_dsn: SecretStr | None = Field(
        None, description="The Sentry project that errors are reported to; without it none are (docs/ERROR-TRACKING.md)"
    )
    sentry_traces_sample_rate: float = Field(
        0, ge=0, le=1, description="The share of requests whose steps and durations are sent to Sentry as well"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

    @property
    def master_keys_bytes(self) -> tuple[bytes, ...]:
        """The master keys, 32 bytes each: the first seals, every one opens."""
        return tuple(map(_decode_key, split_keys(self.master_key.get_secret_value())))

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`. Raises SettingsError with every problem found, fields and rules alike."""
        values, problems = _read(environ)
        settings, field_problems = _validate(values)
        problems += field_problems + problems_of(settings)
        if settings.environment == "production":
            problems += _open_files(environ)
        if problems:
            raise SettingsError(problems)
        return cls.model_validate(values)

    def public(self) -> dict[str, Any]:
        """The settings with secrets hidden, for /health/detailed and `check`."""
        return self.model_dump(mode="json")


def file_variable(name: str) -> str:
    """The variable that names a file with this secret in it, read when the secret itself is not given."""
    return name.upper() + "_FILE"


def split_keys(text: str) -> list[str]:
    """The keys in MASTER_KEY or its file: apart by white space, by commas, or both."""
    return text.replace(",", " ").split()


def _placeholder(name: str) -> str:
    """Stands for a secret that could not be read, so that the other problems are still found."""
    return base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).decode().rstrip("=")


def _decode_key(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _read(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The set variables by field name, secrets read from their NAME_FILE, and what went wrong there."""
    values = {name: environ[name.upper()] for name in Settings.model_fields if environ.get(name.upper())}
    problems = []
    for name in SECRET_SETTINGS:
        variable = file_variable(name)
        path = environ.get(variable)
        if not path:
            continue
        if name in values:
            problems.append(f"{variable}: set either {name.upper()} or {variable}, not both")
            continue
        try:
            values[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{variable}: cannot read {path}: {getattr(error, 'strerror', None) or error}")
            values[name] = _placeholder(name)
    return values, problems


def _open_files(environ: Mapping[str, str]) -> list[str]:
    """A line for each secret's file that every user of this machine can read."""
    problems = []
    for variable in map(file_variable, SECRET_SETTINGS):
        path = environ.get(variable)
        with contextlib.suppress(OSError):  # a file that is not there is told where it is read
            if path and Path(path).stat().st_mode & stat.S_IROTH:
                problems.append(f"{variable}: every user can read {path}; run: chmod o= {path}")
    return problems


def _validate(values: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """Settings as far as they can be built (bad fields left at their defaults, to go on checking), and the problems."""
    try:
        return Settings.model_validate(values), []
    except ValidationError as error:
        bad = {str(item["loc"][0]) for item in error.errors()}
        problems = []
        for item in error.errors(include_url=False, include_context=False):
            name = str(item["loc"][0]).upper()
            if item["type"] == "missing":
                problems.append(f"{name}: is required; make one with: {KEY_HINT}")
            else:
                shown = "" if name.lower() in SECRET_SETTINGS else f" (it is {item['input']!r})"
                problems.append(f"{name}: {item['msg'][0].lower()}{item['msg'][1:]}{shown}")
        rest = {name: value for name, value in values.items() if name not in bad}
        return Settings.model_validate({"master_key": _placeholder("master_key")} | rest), problems

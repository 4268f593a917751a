"""The server's settings: read from the environment alone, typed, and refused with every problem listed at once."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

Environment = Literal["development", "staging", "production"]


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]

SECRET_SETTINGS: Final = ("master_key", "admin_token")
HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)\Z")
SQLITE_FILE: Final = re.compile(r"sqlite:///(?!:memory:)[^?]+\Z")
# Stands for a secret that could not be read, so that the other problems are still found.
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
PLACEHOLDER: Final = "A" * 43
KEY_HINT: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


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
    database_url: str = Field("sqlite:///data/app.db", description="Where tenants, stores, writes and audit rows live")
    master_key: SecretStr = Field(
        description="32 random bytes, base64url: encrypts store keys. Or MASTER_KEY_FILE, a file that holds it"
    )
    admin_token: SecretStr | None = Field(
        None, description="Bearer token for /metrics and /health/detailed; without it both are closed"
    )
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
    cache_max_bytes: int = Field(64 * 1024 * 1024, ge=1024, description="Bytes the cache may hold")
    allowed_hosts: CommaList = Field(LOOPBACK, description="Host names answered, without port; others get 421")
    allowed_origins: CommaList = Field(
        (), description="Browser origins answered besides those on an allowed host; others get 403"
    )
    query_token_enabled: bool = Field(
        default=False, description="Accept a tenant key as ?token=KEY (old clients); refused in production"
    )
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="Largest request body")
    max_json_depth: int = Field(64, ge=4, le=512, description="Deepest nesting of a request's JSON")
    drain_seconds: int = Field(50, ge=1, le=600, description="How long a stopping server waits for calls in flight")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")

    @property
    def master_key_bytes(self) -> bytes:
        """The 32 bytes of the master key."""
        return _decode_key(self.master_key.get_secret_value())

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings from `environ`. Raises SettingsError with every problem found, fields and rules alike."""
        values, problems = _read(environ)
        settings, field_problems = _validate(values)
        problems += field_problems
        problems += _rule_problems(settings)
        if problems:
            raise SettingsError(problems)
        return cls.model_validate(values)

    def public(self) -> dict[str, Any]:
        """The settings with secrets hidden, for /health/detailed and `check`."""
        return self.model_dump(mode="json")


def _decode_key(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _read(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The set variables by field name, secrets read from their NAME_FILE, and what went wrong there."""
    values = {name: environ[name.upper()] for name in Settings.model_fields if environ.get(name.upper())}
    problems = []
    for name in SECRET_SETTINGS:
        variable = name.upper() + "_FILE"
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
            values[name] = PLACEHOLDER
    return values, problems


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
        rest = {"master_key": PLACEHOLDER} | {name: value for name, value in values.items() if name not in bad}
        return Settings.model_validate(rest), problems


def _rule_problems(settings: Settings) -> list[str]:
    """What no single field can see: the key's size, the database's kind, and production's rules."""
    problems = []
    try:
        size = len(settings.master_key_bytes)
    except (ValueError, binascii.Error):
        size = -1
    if size != 32:
        problems.append(f"MASTER_KEY: must be 32 bytes in base64url; make one with: {KEY_HINT}")
    if not SQLITE_FILE.match(settings.database_url):
        problems.append("DATABASE_URL: must be sqlite:///relative/file.db or sqlite:////absolute/file.db")
    if settings.http_timeout_seconds > settings.call_deadline_seconds:
        problems.append("HTTP_TIMEOUT_SECONDS: must not be longer than CALL_DEADLINE_SECONDS, which contains it")
    if not settings.allowed_hosts:
        problems.append("ALLOWED_HOSTS: must name at least one host")
    problems += [
        f"ALLOWED_HOSTS: {host!r} is no host name; give it without scheme, port and path"
        for host in settings.allowed_hosts
        if not HOST.match(host)
    ]
    try:
        parts = urlsplit(settings.orderdesk_base_url)
        usable = parts.hostname is not None and parts.username is None and parts.password is None
    except ValueError:
        usable = False
    if not usable:
        problems.append("ORDERDESK_BASE_URL: must be http(s)://HOST[:PORT][/PATH], without credentials")
    if settings.environment == "production":
        problems += _production_problems(settings)
    return problems


def _production_problems(settings: Settings) -> list[str]:
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    checks = {
        "QUERY_TOKEN_ENABLED: must be off in production: keys in URLs end up in logs": settings.query_token_enabled,
        "ADMIN_TOKEN: production needs one of at least 32 characters": len(token) < 32,
        "LOG_LEVEL: must not be debug in production": settings.log_level == "debug",
        "DRAIN_SECONDS: must be longer than CALL_DEADLINE_SECONDS, or a stop cuts calls off": settings.drain_seconds
        <= settings.call_deadline_seconds,
        "ORDERDESK_BASE_URL: must be https in production": not settings.orderdesk_base_url.startswith("https://"),
        "ALLOWED_HOSTS: must name the public host in production, not only loopback": not {
            host.lower() for host in settings.allowed_hosts
        }
        - set(LOOPBACK),
    }
    return [problem for problem, broken in checks.items() if broken]

"""What no single setting can see of itself: which settings must fit each other, and what production refuses."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from server.settings import Settings

KEY_HINT: Final = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
KEY_BYTES: Final = 32
TOOLSETS: Final = ("tenant", "stores", "orders", "items", "shipments", "products", "inventory")
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)\Z")
ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?\Z")
DSN: Final = re.compile(
    r"https?://[A-Za-z0-9]+(:[A-Za-z0-9]+)?@(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[^\s?#]*)?/[0-9]+\Z"
)
SQLITE_FILE: Final = re.compile(r"sqlite:///(?!:memory:)[^?]+\Z")
# 32 random bytes hold about 30 different ones; fewer than this come about once in 10**17 keys.
FEWEST_DIFFERENT_BYTES: Final = 16
# The same for a text of 32 characters or more, were it in hexadecimal: about once in 10**7.
FEWEST_DIFFERENT_CHARACTERS: Final = 8
MOST_STEPS_ALIKE: Final = 0.5
EXAMPLES: Final = ("example", "changeme", "change-me", "change_me", "your-key", "yourkey", "placeholder", "secret")
MOST_CALLS_PER_MINUTE: Final = 10_000
MOST_WRONG_KEYS_PER_MINUTE: Final = 1_000
MOST_OBJECTS_PER_HOUR: Final = 10_000
LEAST_DISK_RESERVE: Final = 16 * 1024 * 1024
ADMIN_TOKEN_LENGTH: Final = 32


@dataclass(frozen=True)
class Rule:
    """A demand on one setting. `demand` is what a refusal says of it, and the documentation."""

    setting: str
    demand: str
    broken: Callable[[Settings], bool]

    def problem(self, settings: Settings) -> str:
        """The refusal, in one line; it shows numbers and lists, for a text may hold a password."""
        value = getattr(settings, self.setting)
        if isinstance(value, tuple):
            value = ",".join(value)
        elif not isinstance(value, int | float):
            return f"{self.setting.upper()}: {self.demand}"
        return f"{self.setting.upper()}: {self.demand} (it is {value})"


def _longer(longer: str, shorter: str, why: str) -> Rule:
    return Rule(
        longer,
        f"must be longer than {shorter.upper()}, or {why}",
        lambda settings: getattr(settings, longer) <= getattr(settings, shorter),
    )


# A caller that gives up first never hears how its call ended.
TIMEOUT_CHAIN: Final = (
    _longer("client_timeout_seconds", "proxy_timeout_seconds", "clients give up before the proxy answers them"),
    _longer("proxy_timeout_seconds", "call_deadline_seconds", "the proxy gives up before a call has ended"),
    _longer("stop_timeout_seconds", "drain_seconds", "the service manager kills a server that still drains"),
    _longer("drain_seconds", "call_deadline_seconds", "a stop cuts calls off"),
)


def _bad_master_key(settings: Settings) -> bool:
    try:
        return {len(key) for key in settings.master_keys_bytes} != {KEY_BYTES}
    except (ValueError, binascii.Error):
        return True


def _bad_upstream(settings: Settings) -> bool:
    try:
        parts = urlsplit(settings.orderdesk_base_url)
    except ValueError:
        return True
    return parts.hostname is None or parts.username is not None or parts.password is not None


GENERAL: Final = (
    *TIMEOUT_CHAIN,
    Rule(
        "http_timeout_seconds",
        "must not be longer than CALL_DEADLINE_SECONDS, which contains it",
        lambda settings: settings.http_timeout_seconds > settings.call_deadline_seconds,
    ),
    Rule("master_key", f"must be {KEY_BYTES} bytes in base64url; make one with: {KEY_HINT}", _bad_master_key),
    Rule(
        "database_url",
        "must be sqlite:///relative/file.db or sqlite:////absolute/file.db",
        lambda settings: not SQLITE_FILE.match(settings.database_url),
    ),
    Rule("orderdesk_base_url", "must be http(s)://HOST[:PORT][/PATH], without credentials", _bad_upstream),
    Rule(
        "allowed_hosts",
        "must name at least one host, each without scheme, port and path",
        lambda settings: not (settings.allowed_hosts and all(map(HOST.match, settings.allowed_hosts))),
    ),
    Rule(
        "allowed_origins",
        "must be origins such as https://app.example.com; '*' is none",
        lambda settings: not all(map(ORIGIN.match, settings.allowed_origins)),
    ),
    Rule(
        "sentry_dsn",
        "must be the DSN that Sentry shows: http(s)://KEY@HOST/PROJECT",
        lambda settings: settings.sentry_dsn is not None and not DSN.match(settings.sentry_dsn.get_secret_value()),
    ),
    Rule(
        "toolsets",
        f"must name at least one of {', '.join(TOOLSETS)}; or all",
        lambda settings: not settings.toolsets or not {*settings.toolsets} <= {*TOOLSETS, "all"},
    ),
)


def _is_written(text: str) -> bool:
    """Whether a text holds an example's word, the same again and again, or characters counted up."""
    return (
        any(example in text.lower() for example in EXAMPLES)
        or len(set(text)) < FEWEST_DIFFERENT_CHARACTERS
        or text in (text + text)[1:-1]
        or _is_counted(text.encode())
    )


def _is_counted(octets: bytes) -> bool:
    steps = [(after - before) % 256 for before, after in pairwise(octets)]
    return max(map(steps.count, set(steps)), default=0) > MOST_STEPS_ALIKE * len(steps)


def _weak_master_key(settings: Settings) -> bool:
    """Whether a master key was written and not drawn, by its text or by its bytes."""
    if _bad_master_key(settings):
        return False  # told by the rule above
    return _is_written(settings.master_key.get_secret_value()) or any(
        len(set(key)) < FEWEST_DIFFERENT_BYTES or _is_counted(key) or all(32 <= byte < 127 for byte in key)
        for key in settings.master_keys_bytes
    )


def _weak_admin_token(settings: Settings) -> bool:
    token = "" if settings.admin_token is None else settings.admin_token.get_secret_value()
    return len(token) < ADMIN_TOKEN_LENGTH or _is_written(token)


def _shared_secret(settings: Settings) -> bool:
    """Whether who holds the admin token holds a master key, or a tenant's key."""
    if settings.admin_token is None:
        return False
    token = settings.admin_token.get_secret_value()
    others = [settings.master_key, *([] if settings.tenant_key is None else [settings.tenant_key])]
    parts = [part for other in others for part in re.split(r"[\s,]+", other.get_secret_value())]
    return token.rstrip("=") in {part.rstrip("=") for part in parts} | {other.get_secret_value() for other in others}


def _is_local(host: str) -> bool:
    """Whether a host is one that no client elsewhere can name."""
    name = host.lower().strip("[]").rstrip(".")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _is_wildcard(host: str) -> bool:
    """Whether a host stands for any: an address of all, or a name such as .example.com or _."""
    name = host.strip("[]")
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return not re.search("[A-Za-z1-9]", name) or name.startswith(".")


def _plain_origin(origin: str) -> bool:
    scheme, _, rest = origin.partition("://")
    return scheme == "http" and rest.rstrip("/").rpartition(":")[0] not in LOOPBACK and rest.rstrip("/") not in LOOPBACK


def _plain_dsn(settings: Settings) -> bool:
    parts = urlsplit("" if settings.sentry_dsn is None else settings.sentry_dsn.get_secret_value())
    return parts.scheme == "http" and not _is_local(parts.hostname or "")


PRODUCTION: Final = (
    Rule(
        "query_token_enabled",
        "must be off in production: keys in URLs end up in logs",
        lambda settings: settings.query_token_enabled,
    ),
    Rule(
        "admin_token",
        f"production needs one of at least {ADMIN_TOKEN_LENGTH} characters, drawn at random; make one with: {KEY_HINT}",
        _weak_admin_token,
    ),
    Rule("admin_token", "must be a secret of its own in production: not MASTER_KEY or TENANT_KEY", _shared_secret),
    Rule("master_key", f"must be drawn at random in production; make one with: {KEY_HINT}", _weak_master_key),
    Rule(
        "tenant_key",
        "must be one that key create printed",
        lambda settings: settings.tenant_key is not None and _is_written(settings.tenant_key.get_secret_value()),
    ),
    Rule(
        "statement_log",
        "must not be set in production: it holds what tenants store",
        lambda settings: settings.statement_log is not None,
    ),
    Rule("log_level", "must not be debug in production", lambda settings: settings.log_level == "debug"),
    Rule(
        "orderdesk_base_url",
        "must be https in production",
        lambda settings: not settings.orderdesk_base_url.startswith("https://"),
    ),
    Rule("sentry_dsn", "must be https in production, loopback aside", _plain_dsn),
    Rule(
        "allowed_hosts",
        "must name the public host in production, not only loopback",
        lambda settings: all(_is_local(host) or _is_wildcard(host) for host in settings.allowed_hosts),
    ),
    Rule(
        "allowed_hosts",
        "must name each host in production: 0.0.0.0, [::], _ and .example.com are none",
        lambda settings: any(map(_is_wildcard, settings.allowed_hosts)),
    ),
    Rule(
        "allowed_origins",
        "must be https in production, loopback aside",
        lambda settings: any(map(_plain_origin, settings.allowed_origins)),
    ),
    Rule(
        "database_url",
        "must be absolute in production (sqlite:////…): a relative file depends on where the server is started",
        lambda settings: (
            bool(SQLITE_FILE.match(settings.database_url)) and not settings.database_url.startswith("sqlite:////")
        ),
    ),
    Rule(
        "rate_limit_rpm",
        f"must not be more than {MOST_CALLS_PER_MINUTE} in production: that limits nobody",
        lambda settings: settings.rate_limit_rpm > MOST_CALLS_PER_MINUTE,
    ),
    Rule(
        "wrong_keys_per_minute",
        f"must not be more than {MOST_WRONG_KEYS_PER_MINUTE} in production: nobody would hear of keys that are tried",
        lambda settings: settings.wrong_keys_per_minute > MOST_WRONG_KEYS_PER_MINUTE,
    ),
    Rule(
        "destructive_cap_per_hour",
        f"must not be more than {MOST_OBJECTS_PER_HOUR} in production: that stops no client that runs away",
        lambda settings: settings.destructive_cap_per_hour > MOST_OBJECTS_PER_HOUR,
    ),
    Rule(
        "disk_reserve_bytes",
        f"must be at least {LEAST_DISK_RESERVE} in production: outcomes of writes need room to be recorded",
        lambda settings: settings.disk_reserve_bytes < LEAST_DISK_RESERVE,
    ),
)


def problems_of(settings: Settings) -> list[str]:
    """Every rule that the settings break, one line each."""
    rules = GENERAL + (PRODUCTION if settings.environment == "production" else ())
    return [rule.problem(settings) for rule in rules if rule.broken(settings)]

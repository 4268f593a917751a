"""What a probe is given: the server's address, two tenants of it, and what else can be had of this server."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import Protocol
from urllib.parse import urlsplit

from harness.client import Client, connect
from harness.client.session import AUTO
from harness.record import Target
from security.probe.patience import when_let_in

SECONDS = 30.0
"""How long a probe waits for an answer."""


class Need(StrEnum):
    """What a probe may need beside the owner's key; each value is how its lack is told."""

    KEY = "a key: name the variable that holds it with token_env in the target's table"
    STRANGER = "a second tenant's key: name the variable that holds it with other_token_env in the target's table"
    ADMIN = "the server's admin token: name the variable that holds it with admin_token_env in the target's table"
    LIMIT = "the tenant's rate limit: give rate_limit_rpm (and rate_limit_burst) in the target's table"
    KEYS = "keys that are made and withdrawn: only the local target issues them"
    LOG = "the server's log: only the local target's can be read"
    STATEMENTS = "the log of statements that reach the database: only the local target has one"
    UPSTREAM = "the journal of the upstream: only the local target's sandbox keeps one"
    WEBHOOK = "a webhook whose signing key is known: only the local target's is"


OPERATOR = frozenset({Need.KEY, Need.STRANGER, Need.ADMIN, Need.LIMIT})
"""What the operator can give: without it the question stays open. Without the others it does not arise."""


@dataclass(frozen=True)
class Tenant:
    """Who calls: a key (None: nobody asks for one), its store's id (None: not known, or none), its own id."""

    key: str | None = field(repr=False)
    store: str | None = None
    id: str = ""


@dataclass(frozen=True)
class Statement:
    """One statement that reached the database: its text, and its parameters as text."""

    text: str
    parameters: str


@dataclass(frozen=True)
class RateLimit:
    """What a tenant is allowed: `burst` tokens at once, refilled evenly with `per_minute`; a call costs one."""

    per_minute: float
    burst: float


class Keys(Protocol):
    """Makes and ends keys of the server, as its operator would."""

    def new_tenant(self) -> Tenant:
        """A new tenant without a store."""

    def new_key(self, tenant: Tenant) -> Tenant:
        """The same tenant with a further key."""

    def rotate(self, tenant: Tenant) -> Tenant:
        """The same tenant with a new key; the others are at their end at once."""

    def revoke(self, tenant: Tenant) -> None:
        """Withdraw the tenant's key."""

    def expire(self, tenant: Tenant) -> None:
        """End the tenant's key in a second from now."""

    def suspend(self, tenant: Tenant) -> None:
        """Refuse the tenant, whatever key of it is shown."""


@dataclass(frozen=True)
class Upstream:
    """The sandbox behind the server: its control client, and the API key that reads it."""

    base_url: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Webhook:
    """Where OrderDesk's webhook is, the store of the owner's that may post there, and the API key that signs for it."""

    path: str
    store: str
    api_key: str = field(repr=False)


@dataclass(frozen=True)
class Site:
    """A running server. What is None cannot be had of it; `lacks` says so in words.

    `log` and `statements` read all that there is so far. `limited` opens the same server, or one like it, with a rate
    limit small enough to be reached in seconds, and `limit` set.
    """

    target: Target
    owner: Tenant
    stranger: Tenant | None = None
    admin_token: str | None = field(default=None, repr=False)
    limit: RateLimit | None = None
    keys: Keys | None = None
    log: Callable[[], str] | None = None
    statements: Callable[[], Sequence[Statement]] | None = None
    upstream: Upstream | None = None
    webhook: Webhook | None = None
    lockfile: Path | None = None
    """Where its surface is pinned."""
    limited: Callable[[], AbstractContextManager["Site"]] | None = None
    over: Event = field(default_factory=Event, repr=False)
    """Set when the audit ends, however it does: a server that is stopped waits for what is still being sent to it."""
    begin_to_end: Callable[[], None] = lambda: None
    """Lets the server begin to end, where it was started for this audit: each that was takes most of a second to."""

    @property
    def url(self) -> str:
        """The MCP endpoint."""
        return self.target.url

    @property
    def base_url(self) -> str:
        """The root of the server that the endpoint is on, without a slash at its end."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def lacks(self, needs: Sequence[Need]) -> list[Need]:
        """What of `needs` cannot be had here."""
        there: dict[Need, object] = {
            Need.KEY: self.owner.key,
            Need.STRANGER: self.stranger,
            Need.ADMIN: self.admin_token,
            Need.LIMIT: self.limit or self.limited,
            Need.KEYS: self.keys,
            Need.LOG: self.log,
            Need.STATEMENTS: self.statements,
            Need.UPSTREAM: self.upstream,
            Need.WEBHOOK: self.webhook,
        }
        return [need for need in needs if not there[need]]

    def connect(self, tenant: Tenant | None = None, version: str = AUTO) -> Client:
        """A client of this tenant, the owner unless another is given; the caller closes it.

        Raises ClientError, and Inconclusive where the server's limit does not let it through.
        """
        key = (tenant or self.owner).key
        return when_let_in(lambda: connect(self.url, key, version=version, timeout_seconds=SECONDS))

    def as_owner(self, owner: Tenant) -> "Site":
        """The same site, owned by another tenant."""
        return replace(self, owner=owner)

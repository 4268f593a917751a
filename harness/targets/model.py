"""What a job is told of the server that it measures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.client import Client, connect
from harness.client.session import AUTO
from harness.process import ChildProcess
from harness.record import Target
from harness.targets.sandbox import Sandbox


@dataclass(frozen=True, kw_only=True)
class RunningTarget:
    """An MCP server that answers. `target` is what run records say of it; `store` is the store that calls name."""

    target: Target
    token: str | None = field(repr=False)
    store: str | None

    @property
    def url(self) -> str:
        """The MCP endpoint."""
        return self.target.url

    def connect(self, version: str = AUTO, *, timeout_seconds: float = 30.0) -> Client:
        """Return a client with the target's own token, to be closed by the caller."""
        return connect(self.url, self.token, version=version, timeout_seconds=timeout_seconds)


@dataclass(frozen=True, kw_only=True)
class NewTenant:
    """A tenant that was just made, and its only key."""

    id: str
    key: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class LocalTarget(RunningTarget):
    """A server of this checkout, started here with a sandbox for an upstream; gone when its context ends.

    `base_url` is where its health and metrics are, `ready_seconds` how long it took from start to readiness,
    `environment` the server's whole environment, `tenants` those that have the sandbox's accounts, in their order (the
    first one's key is `token`), `new_tenant` makes one without a store and returns its key.
    """

    base_url: str
    admin_token: str = field(repr=False)
    sandbox: Sandbox
    server: ChildProcess
    ready_seconds: float
    logs: Path
    environment: dict[str, str] = field(repr=False)
    tenants: Sequence[NewTenant]
    new_tenant: Callable[[str], str] = field(repr=False)

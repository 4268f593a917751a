"""The local target as probes want it: two tenants, every tool, and the logs that show what really happened."""

import contextlib
import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.client import Client
from harness.errors import HarnessError
from harness.record import Target
from harness.sandbox.client import SandboxClient
from harness.targets.local import start_local
from harness.targets.model import LocalTarget
from harness.targets.server import run_server_command, serving
from security.probe.site import RateLimit, Site, Statement, Tenant, Upstream, Webhook

STATEMENTS = "statements.jsonl"
UNLIMITED_RPM = 1_000_000
LIMITED_RPM = 300
BURST_MINUTES = 2
"""The server's bucket holds what so many minutes refill."""
WEBHOOK = "/webhooks/orderdesk"
WRONG_KEYS = 10
"""A minute; where nothing is limited, as many as calls."""
SETTINGS = {
    "TOOLSETS": "all",
    "RATE_LIMIT_RPM": str(UNLIMITED_RPM),
    "WRONG_KEYS_PER_MINUTE": str(UNLIMITED_RPM),
    "DESTRUCTIVE_CAP_PER_HOUR": "1000000",
}


@dataclass(frozen=True)
class LocalKeys:
    """Keys of a server of this checkout, made and ended by its own commands."""

    environment: Mapping[str, str]
    logs: Path

    def new_tenant(self) -> Tenant:
        """See `Keys`."""
        made = self._command("tenant", "create", f"probe-{secrets.token_hex(4)}")
        return Tenant(made["key"], id=made["tenant_id"])

    def new_key(self, tenant: Tenant) -> Tenant:
        """See `Keys`."""
        return replace(tenant, key=self._command("key", "create", tenant.id)["key"])

    def rotate(self, tenant: Tenant) -> Tenant:
        """See `Keys`."""
        return replace(tenant, key=self._command("key", "rotate", "--overlap", "0s", "--now", tenant.id)["key"])

    def revoke(self, tenant: Tenant) -> None:
        """See `Keys`."""
        self._command("key", "revoke", "--reason", "probe", _key_id(tenant))

    def expire(self, tenant: Tenant) -> None:
        """See `Keys`."""
        self._command("key", "expire", "--in", "1s", _key_id(tenant))

    def suspend(self, tenant: Tenant) -> None:
        """See `Keys`."""
        self._command("tenant", "suspend", "--reason", "probe", tenant.id)

    def _command(self, group: str, action: str, *arguments: str) -> dict[str, str]:
        output = run_server_command(group, action, "--json", *arguments, environment=self.environment, logs=self.logs)
        made: dict[str, str] = json.loads(output)
        return made


@contextlib.contextmanager
def open_local(*, logs: Path, environ: Mapping[str, str]) -> Iterator[Site]:
    """Start a server with all its tools, and yield it as a site; it and all that it stored are gone afterwards.

    Each of its two tenants has a store of its own. Raises HarnessError where it does not start.
    """
    with tempfile.TemporaryDirectory(prefix="quartermaster-statements-") as folder:
        statements = Path(folder) / STATEMENTS
        settings = {**SETTINGS, "STATEMENT_LOG": str(statements)}
        with start_local(logs=logs, environ=environ, settings=settings, orders=40, stores=2) as target:
            with SandboxClient(target.sandbox.base_url) as control:
                control.bucket(enabled=False)
            yield _site(target, statements)


def _site(target: LocalTarget, statements: Path) -> Site:
    owner, stranger = (
        Tenant(tenant.key, account.store_id, tenant.id)
        for tenant, account in zip(target.tenants, target.sandbox.accounts, strict=True)
    )
    site = Site(
        target=target.target,
        owner=owner,
        stranger=stranger,
        admin_token=target.admin_token,
        keys=LocalKeys(target.environment, target.logs),
        log=lambda: target.server.stderr.read_text("utf-8", errors="replace"),
        statements=lambda: _read_statements(statements),
        upstream=Upstream(target.sandbox.base_url, target.sandbox.api_key),
        webhook=Webhook(WEBHOOK, target.sandbox.accounts[0].store_id, target.sandbox.accounts[0].api_key),
        limited=lambda: _limited(target, owner, stranger),
        begin_to_end=target.server.begin_to_stop,
    )
    with site.connect() as client:
        _ship(client)
    return site


def _ship(client: Client) -> None:
    """Give the first order a shipment, so that there is one to be asked for. Raises HarnessError."""
    order = ((client.call_tool("orders_list", {"limit": 1}).structured or {}).get("orders") or [{}])[0]
    parcel = {"order_id": str(order.get("id")), "tracking_number": "1Z-OWNER"}
    outcome = client.call_tool("shipments_add", parcel)
    if outcome.is_error:
        raise HarnessError(f"shipments_add was refused: {outcome.text}")


@contextlib.contextmanager
def _limited(target: LocalTarget, owner: Tenant, stranger: Tenant) -> Iterator[Site]:
    """A second server on the same database, with a limit that is reached in seconds."""
    limits = {"RATE_LIMIT_RPM": str(LIMITED_RPM), "WRONG_KEYS_PER_MINUTE": str(WRONG_KEYS)}
    environment = {**target.environment, **limits}
    with serving(environment=environment, logs=target.logs, name="limited-server") as served:
        yield Site(
            target=Target(name=target.target.name, url=f"{served.base_url}/mcp"),
            owner=owner,
            stranger=stranger,
            keys=LocalKeys(target.environment, target.logs),
            limit=RateLimit(per_minute=LIMITED_RPM, burst=LIMITED_RPM * BURST_MINUTES),
        )


def _read_statements(path: Path) -> Sequence[Statement]:
    """Every statement so far. The server writes a line at once; one that is being written is left for later."""
    # Not splitlines(): to that a client's U+2028 inside a line ends it.
    *lines, _unfinished = path.read_bytes().split(b"\n")
    read = map(json.loads, lines)
    return [Statement(each["statement"], each["parameters"]) for each in read]


def _key_id(tenant: Tenant) -> str:
    """A key's id, as commands take it: what stands before its secret."""
    return str(tenant.key).partition(".")[0].removeprefix("qm_")

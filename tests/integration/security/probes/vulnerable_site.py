"""The vulnerable server as probes want it: a process with the holes given, and what can be had of a local target."""

import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from harness.client import Client
from harness.process import ChildProcess, Command, child_environment, running
from harness.record import Target
from harness.repository import REPOSITORY
from security.lockfile import read_surface, write_lockfile
from security.probe.site import RateLimit, Site, Statement, Tenant, Webhook
from tests.integration.security.probes.certificate import make_certificate
from tests.vulnerable.tools import TOOLS

READY_SECONDS = 20.0
COMMAND_SECONDS = 10.0
LIMIT = RateLimit(per_minute=300, burst=100)


class Reviewed:
    """The surface as it was reviewed: what a client is told where no hole is open."""

    instructions = ""

    def list_definitions(self) -> dict[str, list[dict[str, Any]]]:
        """See `harness.client.Client`."""
        return {"tools": [tool.definition() for tool in TOOLS]}


@dataclass(frozen=True)
class ControlledKeys:
    """Keys of a running vulnerable server, made and ended over its control port."""

    port: int

    def new_tenant(self) -> Tenant:
        """See `security.probe.site.Keys`."""
        made = self._obey("tenant")
        return Tenant(made["key"], id=made["id"])

    def new_key(self, tenant: Tenant) -> Tenant:
        """See `security.probe.site.Keys`."""
        return replace(tenant, key=self._obey("key", tenant=tenant.id)["key"])

    def rotate(self, tenant: Tenant) -> Tenant:
        """See `security.probe.site.Keys`."""
        return replace(tenant, key=self._obey("rotate", tenant=tenant.id)["key"])

    def revoke(self, tenant: Tenant) -> None:
        """See `security.probe.site.Keys`."""
        self._obey("revoke", key=str(tenant.key))

    def expire(self, tenant: Tenant) -> None:
        """See `security.probe.site.Keys`."""
        self._obey("expire", key=str(tenant.key))

    def suspend(self, tenant: Tenant) -> None:
        """See `security.probe.site.Keys`."""
        self._obey("suspend", tenant=tenant.id)

    def _obey(self, command: str, **arguments: str) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=COMMAND_SECONDS) as connection:
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answers:
                made: dict[str, Any] = json.loads(answers.readline())
        return made


@contextlib.contextmanager
def open_vulnerable(
    *holes: str,
    logs: Path,
    limit: RateLimit | None = None,
    tls: bool = False,
    proxy: bool = False,
    sessions: bool = False,
) -> Iterator[Site]:
    """Yield a vulnerable server with these holes as a site; it is gone afterwards.

    Without `limit` calls are as good as free, and `limited` opens another server with the same holes and LIMIT. With
    `tls` it is asked by https, and its certificate is one that `ssl` trusts meanwhile; with `proxy` through its proxy;
    with `sessions` it opens them.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vulnerable-")))
        statements, lockfile = folder / "statements.jsonl", folder / "surface.json"
        options = ["--statements", str(statements), *(f"--hole={hole}" for hole in holes)]
        if limit is None:
            options += ["--wrong-keys", "1000000"]
        else:
            options += ["--per-minute", str(limit.per_minute), "--burst", str(limit.burst)]
        options += [f"--{name}" for name, wanted in (("proxy", proxy), ("sessions", sessions)) if wanted]
        if tls:
            certificate, key = make_certificate(folder)
            options += ["--certificate", str(certificate), "--key", str(key)]
            stack.enter_context(patch.dict(os.environ, SSL_CERT_FILE=str(certificate)))
        write_lockfile(lockfile, read_surface(cast("Client", Reviewed())))
        name = f"vulnerable-{secrets.token_hex(4)}"
        command = (sys.executable, "-m", "tests.vulnerable.server", *options)
        environment = child_environment({}, os.environ)
        child = stack.enter_context(running(Command(name, command, environment, REPOSITORY), logs=logs))
        told = child.wait_for_event("vulnerable.listening", seconds=READY_SECONDS)
        owner, stranger = (Tenant(each["key"], each["store"], each["id"]) for each in told["tenants"])
        yield Site(
            target=Target(name="vulnerable", url=f"{'https' if tls else 'http'}://127.0.0.1:{told['port']}/mcp"),
            owner=owner,
            stranger=stranger,
            admin_token=told["admin_token"],
            limit=limit,
            keys=ControlledKeys(told["control"]),
            webhook=Webhook("/webhooks/orderdesk", str(owner.store), told["webhook_key"]),
            log=_log_of(child),
            statements=lambda: _read_statements(statements),
            lockfile=lockfile,
            limited=None if limit else lambda: open_vulnerable(*holes, logs=logs, limit=LIMIT),
        )


def _log_of(child: ChildProcess) -> Callable[[], str]:
    return lambda: child.stderr.read_text("utf-8", errors="replace")


def _read_statements(path: Path) -> Sequence[Statement]:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    read = (json.loads(line) for line in lines if line.endswith("\n"))
    return [Statement(each["statement"], each["parameters"]) for each in read]

"""The two sides of the comparison: the peer, and this checkout's server with everything on."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.client import connect
from harness.process import Command, child_environment, running
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from harness.targets.local import register_store
from perf.errors import PerfError
from perf.peers.plan import ToolCall

READY_SECONDS = 60.0
ORDERS = 8
"""Cached orders that the load asks for in turn; few enough to be fetched at once within OrderDesk's own limit."""
ADDITION = ToolCall("add", {"a": 2, "b": 3}, {"result": 5})

REQUESTS_PER_MINUTE = 24_000
"""The limiter must refuse nothing (a tenant's reserve is twice that), and yet refill slowly enough to be counted."""
RESERVE = 2 * REQUESTS_PER_MINUTE
REFILL_PER_SECOND = REQUESTS_PER_MINUTE / 60
SETTINGS = {"RATE_LIMIT_RPM": str(REQUESTS_PER_MINUTE), "CACHE_TTL_ORDERS_SECONDS": "3600"}


@dataclass(frozen=True)
class Arm:
    """A server under load: where it listens, its process, whose key it is called with, and the calls."""

    name: str
    host: str
    port: int
    pid: int
    calls: tuple[ToolCall, ...]
    token: str | None = field(default=None, repr=False)
    tenant_id: str | None = None


@contextlib.contextmanager
def start_fastmcp(python: Path, *, logs: Path, environ: Mapping[str, str]) -> Iterator[Arm]:
    """Yield FastMCP's default server, run by the interpreter given. Raises ProcessError when it does not start."""
    script = REPOSITORY / "perf" / "peers" / "fastmcp_server.py"
    # -P: the script's folder holds modules whose names mean something else to the peer.
    command = Command("peer", (str(python), "-P", str(script)), child_environment({}, environ), REPOSITORY)
    with running(command, logs=logs) as process:
        event = process.wait_for_event("peer.listening", seconds=READY_SECONDS)
        yield Arm("peer", event["host"], event["port"], process.pid, (ADDITION,))


def new_tenant_arm(target: LocalTarget) -> Arm:
    """Return an arm on the local target for a tenant of its own, whose calls are answered from the cache."""
    key = target.new_tenant("peers")
    with connect(target.url, key) as client:
        register_store(client, target.sandbox.accounts[0])
        owner = client.call_tool("tenant_use_master_key", {"master_key": key}).structured or {}
        listed = client.call_tool("orders_list", {"limit": ORDERS}).structured or {}
        calls = []
        for order in listed.get("orders", ()):
            arguments = {"order_id": order["id"]}
            client.call_tool("orders_get", arguments)
            cached = client.call_tool("orders_get", arguments)
            if cached.structured is None or cached.structured.get("cached") is not True:
                raise PerfError(f"orders_get did not answer from the cache: {cached.text[:200]}")
            calls.append(ToolCall("orders_get", arguments, dict(cached.structured)))
    if len(calls) != ORDERS:
        raise PerfError(f"orders_list gave {len(calls)} orders, not {ORDERS}")
    host, _, port = target.base_url.removeprefix("http://").partition(":")
    return Arm("server", host, int(port), target.server.pid, tuple(calls), key, owner["tenant_id"])


def pin(pid: int, processor: int) -> None:
    """Keep a process on one processor, with every thread that it has and will have. Raises OSError."""
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 -- names are all that is wanted
        os.sched_setaffinity(int(thread), {processor})

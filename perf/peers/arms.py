"""What is loaded: this checkout's server with everything on, and beside it programs that answer the same calls."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from harness.client import connect
from harness.process import Command, child_environment, running
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from harness.targets.local import register_store
from perf.errors import PerfError
from perf.peers.plan import Call, tool_call

READY_SECONDS = 60.0
ORDERS = 8
"""Cached orders that the load asks for in turn; few enough to be fetched at once within OrderDesk's own limit."""
ADDITION = tool_call("add", {"a": 2, "b": 3}, {"result": 5})
PING = Call("ping", {}, {})

REQUESTS_PER_MINUTE = 24_000
"""The limiter must refuse nothing (a tenant's reserve is twice that), and yet refill slowly enough to be counted."""
RESERVE = 2 * REQUESTS_PER_MINUTE
REFILL_PER_SECOND = REQUESTS_PER_MINUTE / 60
SETTINGS = {"RATE_LIMIT_RPM": str(REQUESTS_PER_MINUTE), "CACHE_TTL_ORDERS_SECONDS": "3600"}


class Row(NamedTuple):
    """A server and the call that it answers: a row of the table."""

    server: str
    call: str


OURS = Row("server", "orders_get")
OUR_TRIVIAL = Row("server", "ping")
PEER = Row("fastmcp", "add")
"""What the ratio is to."""
BARE = Row("bare", "orders_get")
"""What the share is of."""

BARE_PROGRAM = REPOSITORY / "tests" / "peers" / "bare_server.py"
PEER_PROGRAM = REPOSITORY / "perf" / "peers" / "peer_server.py"


@dataclass(frozen=True)
class Arm:
    """A server under load: where it listens, its process, whose key it is called with, and the calls."""

    row: Row
    host: str
    port: int
    pid: int
    calls: tuple[Call, ...]
    token: str | None = field(default=None, repr=False)
    tenant_id: str | None = None


@contextlib.contextmanager
def start_others(
    ours: Path, peers: Path, orders: Sequence[Call], *, logs: Path, environ: Mapping[str, str]
) -> Iterator[list[Arm]]:
    """Yield all that the server is compared with: our bare dispatcher, run by `ours`, and both peers, run by `peers`.

    Raises HarnessError when one of them does not start.
    """
    if not BARE_PROGRAM.is_file():
        raise PerfError(f"{BARE_PROGRAM} is missing: the bare dispatcher is part of a checkout's tests")
    with contextlib.ExitStack() as stack:
        arms: list[Arm] = []
        # -P: the script's folder holds modules whose names mean something else to the peer.
        programs = {
            "fastmcp": ((str(peers), "-P", str(PEER_PROGRAM), "fastmcp"), {}),
            "bare": ((str(ours), str(BARE_PROGRAM)), {"PYTHONPATH": str(REPOSITORY)}),
            "sdk": ((str(peers), "-P", str(PEER_PROGRAM), "sdk"), {}),
        }
        for name, (arguments, settings) in programs.items():
            given = child_environment(settings, environ)
            arms.extend(stack.enter_context(start_program(name, arguments, given, orders, logs=logs)))
        yield arms


@contextlib.contextmanager
def start_program(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], orders: Sequence[Call], *, logs: Path
) -> Iterator[list[Arm]]:
    """Yield the two arms of a program that answers `add` and `orders_get`. Raises ProcessError when it does not start.

    Its last argument is a file with what `orders_get` must answer, by order id.
    """
    answers = {call.params["arguments"]["order_id"]: call.expected for call in orders}
    with tempfile.NamedTemporaryFile("w", prefix="quartermaster-orders-", suffix=".json") as file:
        json.dump(answers, file)
        file.flush()
        command = Command(name, (*arguments, file.name), environment, REPOSITORY)
        with running(command, logs=logs) as process:
            event = process.wait_for_event("peer.listening", seconds=READY_SECONDS)
            host, port = event["host"], event["port"]
            yield [
                Arm(Row(name, "add"), host, port, process.pid, (ADDITION,)),
                Arm(Row(name, "orders_get"), host, port, process.pid, tuple(orders)),
            ]


def new_tenant_arm(target: LocalTarget) -> Arm:
    """Return an arm on the local target for a tenant of its own, whose calls are answered from the cache."""
    key = target.new_tenant("peers")
    with connect(target.url, key) as client:
        register_store(client, target.sandbox.accounts[0])
        owner = client.call_tool("tenant_use_master_key", {"master_key": key}).structured or {}
        listed = client.call_tool("orders_list", {"limit": ORDERS}).structured or {}
        calls = []
        for order in listed.get("orders", ()):
            # OrderDesk writes ids as numbers and as texts.
            arguments = {"order_id": str(order["id"])}
            client.call_tool("orders_get", arguments)
            cached = client.call_tool("orders_get", arguments)
            if cached.structured is None or cached.structured.get("cached") is not True:
                raise PerfError(f"orders_get did not answer from the cache: {cached.text[:200]}")
            calls.append(tool_call("orders_get", arguments, dict(cached.structured)))
    if len(calls) != ORDERS:
        raise PerfError(f"orders_list gave {len(calls)} orders, not {ORDERS}")
    return _arm(target, OURS, tuple(calls), key, str(owner["tenant_id"]))


def new_trivial_arm(target: LocalTarget) -> Arm:
    """Return an arm on the local target for a tenant of its own that pings: no tool of ours is trivial."""
    return _arm(target, OUR_TRIVIAL, (PING,), target.new_tenant("peers"))


def _arm(target: LocalTarget, row: Row, calls: tuple[Call, ...], key: str, tenant_id: str | None = None) -> Arm:
    host, _, port = target.base_url.removeprefix("http://").partition(":")
    return Arm(row, host, int(port), target.server.pid, calls, key, tenant_id)


def pin(pid: int, processor: int) -> None:
    """Keep a process on one processor, with every thread that it has and will have. Raises OSError."""
    for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 -- names are all that is wanted
        os.sched_setaffinity(int(thread), {processor})

"""SIGTERM under load loses no call and exits 0.

What "loses no call" means here, as a client sees it. A call is

- answered: its whole response arrived, and is the right one;
- not accepted: connecting was refused, or the connection was closed before any byte of the request was accepted. That
  is: the server's TCP has acknowledged none of it (tcpi_bytes_acked of the client's own socket), and the server's log
  does not know its request id. Whoever made such a call may make it again elsewhere without a thought;
- lost: anything else. The server, or the machine it runs on, took the request, and yet there was no whole response.

The load is the worst kind: clients on kept connections that call without a pause or with a short one, and that connect
again at once when a response asks them to close, until they are refused.
"""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import Latency, Match
from harness.targets import LocalTarget
from harness.targets.server import Served, serving
from perf.peers.wire import WireError, exchange, request
from tests.integration.parts import StartTarget

PROMPT, PAUSING, SLOW = 16, 8, 4
"""Workers without a pause, with PAUSE_SECONDS between calls, and with calls that last until after the signal."""
PAUSE_SECONDS = 0.02
SLOW_MILLISECONDS = 900
ROUNDS = 2
BYTES_ACKED_OFFSET = 120  # of tcpi_bytes_acked in Linux's struct tcp_info


@dataclass
class Ledger:
    """What became of every call, by request id. Lists only grow, so that threads may share them."""

    answered: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unacknowledged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Worker:
    """One client: its connections' address, its headers, its call, and what must be in the answer."""

    name: str
    address: tuple[str, int]
    headers: Mapping[str, str]
    tool: str
    arguments: Mapping[str, Any]
    ledger: Ledger
    pause_seconds: float = 0.0

    def work(self) -> None:
        number = 0
        while True:
            try:
                connection = socket.create_connection(self.address, timeout=15)
            except OSError:
                self.ledger.refused.append(self.name)
                return
            with contextlib.closing(connection):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                keep = True
                while keep:
                    number += 1
                    keep = self.call(connection, f"{self.name}-{number}")
                    time.sleep(self.pause_seconds)

    def call(self, connection: socket.socket, request_id: str) -> bool:
        """Make one call and book it; returns whether the connection may be used again."""
        message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call"}
        params = {"name": self.tool, "arguments": self.arguments}
        body = json.dumps({**message, "params": params}).encode()
        before = bytes_acked(connection)
        try:
            answer = exchange(connection, request("POST", "/mcp", {**self.headers, "X-Request-Id": request_id}, body))
        except WireError:
            acknowledged = bytes_acked(connection) > before
            (self.ledger.lost if acknowledged else self.ledger.unacknowledged).append(request_id)
            return False
        result = json.loads(answer.body)
        right = answer.status == 200 and result["id"] == request_id and result["result"]["isError"] is False
        (self.ledger.answered if right else self.ledger.wrong).append(request_id)
        return answer.headers.get("connection") != "close"


def bytes_acked(connection: socket.socket) -> int:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED_OFFSET + 8)
    (count,) = struct.unpack_from("Q", info, BYTES_ACKED_OFFSET)
    return int(count)


def load_until_refused(workers: list[Worker], served: Served) -> Ledger:
    """Let the workers call, send SIGTERM in the middle of it, and return what became of every call."""
    ledger = workers[0].ledger
    threads = [threading.Thread(target=worker.work, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(ledger.answered) >= 20 * len(workers))
    # A slow call takes long and its worker makes no pause: whenever the signal comes, most of them are under way.
    os.kill(served.process.pid, signal.SIGTERM)
    for thread in threads:
        thread.join(timeout=40)
    assert not any(thread.is_alive() for thread in threads)
    return ledger


def make_workers(served: Served, target: LocalTarget, name: str, order: str, product: str) -> list[Worker]:
    address = urlsplit(served.base_url)
    headers = {
        "Host": address.netloc,
        "Authorization": f"Bearer {target.token}",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": "2025-11-25",
    }
    assert address.hostname
    assert address.port
    base = partial(Worker, address=(address.hostname, address.port), headers=headers, ledger=Ledger())
    get_order = partial(base, tool="orders_get", arguments={"order_id": order})
    get_product = partial(base, tool="products_get", arguments={"product_id": product})
    return [
        *(get_order(name=f"{name}-prompt-{each}") for each in range(PROMPT)),
        *(get_order(name=f"{name}-pausing-{each}", pause_seconds=PAUSE_SECONDS) for each in range(PAUSING)),
        *(get_product(name=f"{name}-slow-{each}") for each in range(SLOW)),
    ]


def wait_until(holds: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.005)


def request_ids(served: Served) -> set[str]:
    """The ids of the requests that the server's log knows."""
    lines = served.process.stderr.read_bytes().splitlines()
    return {json.loads(line)["request_id"] for line in lines if b'"http.request"' in line}


def audited_ids(target: LocalTarget) -> set[str]:
    path = target.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {row[0] for row in database.execute("SELECT request_id FROM audit")}


def test_sigterm_under_load_loses_no_call_and_exits_0(start_target: StartTarget, tmp_path: Path) -> None:
    settings = {"RATE_LIMIT_RPM": "1000000", "CACHE_TTL_ORDERS_SECONDS": "3600", "CACHE_TTL_PRODUCTS_SECONDS": "0"}
    target = start_target(settings=settings)
    with target.connect() as client:
        order = first(client.call_tool("orders_list", {"limit": 1}).structured, "orders")
        product = first(client.call_tool("products_list", {"limit": 1}).structured, "products")
    with SandboxClient(target.sandbox.base_url) as sandbox:
        sandbox.set_faults(
            Latency(milliseconds=SLOW_MILLISECONDS, match=Match(path_prefix=f"/inventory-items/{product}"))
        )
    for number in range(ROUNDS):
        name = f"round-{number}"
        with serving(environment=target.environment, logs=tmp_path / name) as served:
            workers = make_workers(served, target, name, order, product)
            ledger = load_until_refused(workers, served)
            exit_code = served.process.wait(seconds=40)

        assert exit_code == 0
        assert ledger.wrong == []
        assert ledger.lost == []
        assert request_ids(served).intersection(ledger.unacknowledged) == set()
        assert len(ledger.refused) == len(workers)
        assert any("-slow-" in answered for answered in ledger.answered)
        assert {audited for audited in audited_ids(target) if audited.startswith(name)} == set(ledger.answered)


def first(content: Mapping[str, Any] | None, name: str) -> str:
    assert content
    return str(content[name][0]["id"])

"""Starts real sandbox processes for the tests beside it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from harness.process import ChildProcess, Command, child_environment, running
from harness.sandbox.client import SandboxClient

REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True)
class Sandbox:
    child: ChildProcess
    announcement: dict[str, Any]
    api: httpx.Client
    control: SandboxClient

    @property
    def port(self) -> int:
        port: int = self.announcement["port"]
        return port

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get("/orders").json()["orders"]
        return found


def sandbox_command(*options: str) -> Command:
    arguments = (sys.executable, "-m", "harness.sandbox", *options)
    return Command("sandbox", arguments, child_environment({}, os.environ), REPOSITORY)


@contextlib.contextmanager
def running_sandbox(logs: Path, *options: str) -> Iterator[Sandbox]:
    """A sandbox on a free port, with a client of its first store and one of its control path."""
    with running(sandbox_command("--port", "0", *options), logs=logs) as child:
        announcement = child.wait_for_event("sandbox.listening", seconds=20)
        url = f"http://127.0.0.1:{announcement['port']}"
        headers = {"ORDERDESK-STORE-ID": announcement["store_id"], "ORDERDESK-API-KEY": announcement["api_key"]}
        with (
            httpx.Client(base_url=f"{url}/api/v2", headers=headers, timeout=10, trust_env=False) as api,
            SandboxClient(url) as control,
        ):
            yield Sandbox(child, announcement, api, control)

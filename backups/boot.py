"""Boot the real server on a restored database, its upstream unreachable."""

import contextlib
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from backups.errors import BackupError, DamageError
from harness.process import ChildProcess, Command, running
from harness.repository import REPOSITORY

LISTENING_SECONDS = 60.0
READY_SECONDS = 20.0
"""How long a server that listens may take to become ready; it needs milliseconds, a busy machine more."""
POLL_SECONDS = 0.02
STOP_SECONDS = 25.0


@dataclass(frozen=True)
class Booted:
    """A server that is ready; `seconds` from its start to the first 200 of /health/ready."""

    url: str
    seconds: float


@contextlib.contextmanager
def boot(
    database: Path, environment: Mapping[str, str], *, logs: Path, ready_seconds: float = READY_SECONDS
) -> Iterator[Booted]:
    """Yield a server with `environment`, keys included, but this database and no upstream; stopped on the way out.

    Raises DamageError when it says that it is not ready, ProcessError and BackupError when it says nothing.
    """
    with _refusing_port() as port:
        settings = {
            **environment,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATABASE_URL": f"sqlite:///{database.resolve()}",
            # https, because a production environment accepts nothing else; no byte is sent either way.
            "ORDERDESK_BASE_URL": f"https://127.0.0.1:{port}/api/v2",
            "HTTP_MAX_RETRIES": "0",
        }
        command = Command("restored-server", (sys.executable, "-m", "server", "serve"), settings, REPOSITORY)
        began = time.perf_counter()
        with running(command, logs=logs, stop_seconds=STOP_SECONDS) as process:
            event = process.wait_for_event("server.listening", seconds=LISTENING_SECONDS)
            base_url = f"http://127.0.0.1:{event['port']}"
            _wait_until_ready(base_url, process, ready_seconds)
            yield Booted(f"{base_url}/mcp", time.perf_counter() - began)


@contextlib.contextmanager
def _refusing_port() -> Iterator[int]:
    """A port of loopback that refuses every connection: bound, so that nobody else can listen there meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _wait_until_ready(base_url: str, process: ChildProcess, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    refusal = ""
    with httpx.Client(base_url=base_url, trust_env=False, timeout=5.0) as http:
        while time.monotonic() < deadline:
            if process.exit_code is not None:
                raise process.failure("ended before it was ready")
            with contextlib.suppress(httpx.TransportError):
                response = http.get("/health/ready")
                if response.status_code == 200:
                    return
                refusal = f"HTTP {response.status_code} {response.text.strip()[:300]}"
            time.sleep(POLL_SECONDS)
    if refusal:
        raise DamageError(f"the server is not ready after {seconds:g} s: {refusal}")
    raise BackupError(f"the server listens, but /health/ready did not answer within {seconds:g} s")

"""The server of this or another checkout as child processes: commands run to their end, or serving until stopped."""

import contextlib
import json
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.connections import certificates
from harness.process import ChildProcess, Command, ProcessError, child_environment, run, running
from harness.repository import REPOSITORY
from harness.targets.model import NewTenant

COMMAND_SECONDS = 120.0
READY_SECONDS = 60.0
POLL_SECONDS = 0.01
# More than the server's own drain time, or a stop would cut off calls that it still answers.
STOP_SECONDS = 55.0


class NotReadyError(ProcessError):
    """A server listens, but is not ready in time. `answer` is what /health/ready said last, empty where it did not."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True)
class Served:
    """A server that is ready: `ready_seconds` from its start to the first 200 of /health/ready."""

    base_url: str
    process: ChildProcess
    ready_seconds: float


def server_environment(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a server that listens on loopback; `settings` win over what is set here."""
    return child_environment({"ENVIRONMENT": "development", "HOST": "127.0.0.1", "PORT": "0", **settings}, environ)


def run_server_command(
    *arguments: str,
    environment: Mapping[str, str],
    logs: Path,
    seconds: float = COMMAND_SECONDS,
    python: Path | None = None,
    checkout: Path = REPOSITORY,
) -> str:
    """Return what `python -m server ARGUMENTS` printed. Raises ProcessError with its last line when it fails."""
    name = "-".join(("server", *arguments[:2])) if arguments[:1] == ("tenant",) else f"server-{arguments[0]}"
    command = _command(name, arguments, environment, python=python, checkout=checkout)
    return run(command, logs=logs, seconds=seconds)


def create_tenant(
    name: str,
    *,
    environment: Mapping[str, str],
    logs: Path,
    python: Path | None = None,
    checkout: Path = REPOSITORY,
) -> NewTenant:
    """Return a new tenant; its name gets a random ending, for a database holds each name once.

    Raises ProcessError when the command fails or does not print a key.
    """
    unique = f"{name}-{secrets.token_hex(4)}"
    asked = ("tenant", "create", unique)
    output = run_server_command(*asked, environment=environment, logs=logs, python=python, checkout=checkout)
    try:
        made = json.loads(output)
        return NewTenant(id=str(made["tenant_id"]), key=str(made["key"]))
    except (ValueError, KeyError, TypeError):
        raise ProcessError("server tenant create printed no JSON with a key", exit_code=0) from None


@contextlib.contextmanager
def serving(
    *,
    environment: Mapping[str, str],
    logs: Path,
    module: str = "server",
    name: str = "server",
    python: Path | None = None,
    checkout: Path = REPOSITORY,
    ready_seconds: float = READY_SECONDS,
) -> Iterator[Served]:
    """Yield the server once it is ready.

    Raises ProcessError when it ends first or does not listen, and NotReadyError when it has listened for
    `ready_seconds` and is not ready. `module` is what is run in its place where a test needs a server that is broken on
    purpose; `name` is what errors call it, and its logs; `python` is its interpreter, by default this one; its code
    is that of `checkout`, by default this one.
    """
    began = time.perf_counter()
    command = _command(name, ("serve",), environment, module, python, checkout)
    with running(command, logs=logs, stop_seconds=STOP_SECONDS) as process:
        event = process.wait_for_event("server.listening", seconds=READY_SECONDS)
        base_url = f"http://127.0.0.1:{event['port']}"
        _wait_until_ready(base_url, process, ready_seconds)
        yield Served(base_url, process, time.perf_counter() - began)


def _command(
    name: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    module: str = "server",
    python: Path | None = None,
    checkout: Path = REPOSITORY,
) -> Command:
    return Command(name, (str(python or sys.executable), "-m", module, *arguments), environment, checkout)


def _wait_until_ready(base_url: str, process: ChildProcess, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    answer = ""
    with httpx.Client(base_url=base_url, trust_env=False, timeout=5.0, verify=certificates()) as http:
        while time.monotonic() < deadline:
            if process.exit_code is not None:
                raise process.failure("ended before it was ready")
            with contextlib.suppress(httpx.TransportError):
                response = http.get("/health/ready")
                if response.status_code == 200:
                    return
                answer = f"HTTP {response.status_code} {response.text.strip()[:300]}"
            time.sleep(POLL_SECONDS)
    what = answer or "/health/ready did not answer"
    raise NotReadyError(f"{process.name} listens, but was not ready within {seconds:g} s: {what}", answer)

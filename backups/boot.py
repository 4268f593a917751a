"""Boot the real server on a restored database, its upstream unreachable."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from backups.errors import DamageError
from harness.targets.server import NotReadyError, serving

READY_SECONDS = 20.0
"""How long a server that listens may take to become ready; it needs milliseconds, a busy machine more."""


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

    Raises DamageError when it says that it is not ready, ProcessError when it does not start or says nothing.
    """
    with _refusing_port() as port, contextlib.ExitStack() as stack:
        settings = {
            **environment,
            "HOST": "127.0.0.1",
            "PORT": "0",
            "DATABASE_URL": f"sqlite:///{database.resolve()}",
            # https, because a production environment accepts nothing else; no byte is sent either way.
            "ORDERDESK_BASE_URL": f"https://127.0.0.1:{port}/api/v2",
            "HTTP_MAX_RETRIES": "0",
        }
        server = serving(environment=settings, logs=logs, name="restored-server", ready_seconds=ready_seconds)
        try:
            served = stack.enter_context(server)
        except NotReadyError as error:
            if not error.answer:
                raise
            raise DamageError(str(error)) from error
        yield Booted(f"{served.base_url}/mcp", served.ready_seconds)


@contextlib.contextmanager
def _refusing_port() -> Iterator[int]:
    """A port of loopback that refuses every connection: bound, so that nobody else can listen there meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]

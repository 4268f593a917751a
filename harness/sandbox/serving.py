"""Runs the sandbox on uvicorn: one socket, one process, stopped at once by SIGTERM or SIGINT."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from harness.sandbox.application import TRANSPORT, Application

BACKLOG = 2_048
# Requests in flight get this long to finish after a signal, whatever latency a fault gives them.
GRACE_SECONDS = 1


def serve(application: Application, listener: socket.socket, on_listening: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `on_listening` is called once connections are accepted."""
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=_ConnectionAware,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _Server(config, on_listening).run(sockets=[listener])


class _ConnectionAware(HttpToolsProtocol):
    """Hands each request's connection to the application, which may have to drop it."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"][TRANSPORT] = self.transport


class _Server(uvicorn.Server):
    """A server that says when it listens and takes a signal as a request to finish: uvicorn would exit with 143."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        def stop(_: int, __: FrameType | None) -> None:
            self.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        yield

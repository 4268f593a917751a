"""Run the application under uvicorn: bind, say so, and on SIGTERM drain without losing a call."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Final

import uvicorn

from server import __version__
from server.edge.layer import Edge
from server.settings import Settings
from server.telemetry.logging import Logger

# Long enough for every client on a kept connection to be told, with its next answer, to close it.
NOTICE_SECONDS: Final = 0.5
BACKLOG: Final = 2048


class _Server(uvicorn.Server):
    """uvicorn with our own signals: its own handling would end a clean stop with status 143."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(settings: Settings) -> socket.socket:
    """The listening socket. Raises OSError where the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener


def serve(edge: Edge, settings: Settings, listener: socket.socket, logger: Logger) -> bool:
    """Serve until SIGTERM or SIGINT. Returns whether every call in flight was answered and the start succeeded."""
    config = uvicorn.Config(
        edge,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    server = _Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_run(server, edge, settings, listener, logger))


async def _run(server: uvicorn.Server, edge: Edge, settings: Settings, listener: socket.socket, logger: Logger) -> bool:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    host, port = listener.getsockname()[:2]
    logger.info("server.listening", host=host, port=port, version=__version__, environment=settings.environment)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        logger.info("server.draining", seconds=settings.drain_seconds)
        edge.draining = True
        await asyncio.sleep(NOTICE_SECONDS)
        server.should_exit = True
    stopping.cancel()
    await serving
    logger.info("server.stopped", calls_cut_off=edge.cut_off)
    return server.started and not edge.cut_off

"""Run the application under uvicorn: bind, say so, and on SIGTERM drain without losing a call."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import uvicorn

from server import __version__
from server.edge.layer import Edge
from server.edge.wire import LimitedProtocol
from server.settings import Settings
from server.telemetry.logging import Logger

# Long enough for every client on a kept connection to be told, with its next answer, to close it.
NOTICE_SECONDS: Final = 0.5
# Long enough for a request that was on its way on an accepted connection to arrive.
SETTLE_SECONDS: Final = 0.2
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
    """Serve until SIGTERM or SIGINT. Returns whether start and stop succeeded and lost neither call nor audit row."""
    config = uvicorn.Config(
        edge,
        loop="uvloop",
        http=LimitedProtocol,
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
    # What the imports left behind lives as long as the process: the collector need not look at it again and again.
    gc.collect()
    gc.freeze()
    logger.info("server.listening", host=host, port=port, version=__version__, environment=settings.environment)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not serving.done():
        logger.info("server.draining", seconds=settings.drain_seconds)
        edge.draining, edge.stop_by = True, time.monotonic() + settings.drain_seconds
        await _stop_accepting(server, listener)
        server.should_exit = True
    stopping.cancel()
    await serving
    logger.info("server.stopped", calls_cut_off=edge.cut_off, audit_rows_lost=edge.rows_lost)
    return server.started and not (edge.cut_off or edge.rows_lost or server.lifespan.should_exit)


async def _stop_accepting(server: uvicorn.Server, listener: socket.socket) -> None:
    """Refuse new connections, and serve those that exist: also the ones that the kernel made and nobody accepted.

    uvicorn alone would close the listener with connections waiting in it, each perhaps with a request, and reset them.
    """
    waiting = listener.dup()
    await asyncio.sleep(NOTICE_SECONDS)
    for each in server.servers:
        each.close()
    accepted = []
    with waiting, contextlib.suppress(BlockingIOError):
        while True:
            accepted.append(waiting.accept()[0])
    loop, config = asyncio.get_running_loop(), server.config
    for connection in accepted:
        await loop.connect_accepted_socket(partial(_protocol, config, server), connection)
    await asyncio.sleep(SETTLE_SECONDS)


def _protocol(config: uvicorn.Config, server: uvicorn.Server) -> asyncio.Protocol:
    protocol_class: Any = config.http_protocol_class
    protocol: asyncio.Protocol = protocol_class(
        config=config, server_state=server.server_state, app_state=server.lifespan.state
    )
    return protocol

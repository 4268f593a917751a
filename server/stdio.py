"""Serve one client on the standard streams: many calls at once, whole lines out, and an end that loses no call."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import select
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Final

from mcp_types import INTERNAL_ERROR

from server import __version__
from server.application import Parts, build_dispatcher
from server.protocol.exchange import Notes
from server.protocol.lines import LineWriter, read_lines
from server.protocol.messages import ProtocolError, RequestId, encode_error, identity_of
from server.protocol.stdio import AUTHENTICATING_TOOL, Session, called_tool, is_notification
from server.settings import Settings
from server.telemetry.logging import AccessLog, Logger
from server.telemetry.metrics import Metrics
from server.telemetry.request import CURRENT_REQUEST

IN_FLIGHT: Final = 32
ENDPOINT: Final = "stdio"
CANCELLED: Final = "notifications/cancelled"

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from server.telemetry.tracking.tracker import Tracker

Write = Callable[[bytes], Awaitable[None]]


class LogStream(io.RawIOBase):
    """A descriptor that the log is written to: a client that closes it, or never reads it, loses the log, not calls."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def writable(self) -> bool:
        """That it is, as io.BufferedWriter asks."""
        return True

    def write(self, data: ReadableBuffer) -> int:
        """Write what fits at once, and let the rest go."""
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest and select.select((), (self._descriptor,), (), 0)[1]:
                rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        return len(memoryview(data))


class Conversation:
    """Answers lines as they come, IN_FLIGHT at a time; further ones wait unread. `cut_off` counts calls given up.

    Tools named in `writing` are never cancelled: what they began they end.
    """

    def __init__(
        self,
        session: Session,
        write: Write,
        *,
        writing: frozenset[str],
        metrics: Metrics,
        logger: Logger,
        access_log: AccessLog,
    ) -> None:
        self._session = session
        self._write = write
        self._writing = writing
        self._metrics = metrics
        self._logger = logger
        self._access_log = access_log
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._calls: set[asyncio.Task[None]] = set()
        self._cancellable: dict[RequestId, asyncio.Task[None]] = {}
        self.cut_off = 0

    async def listen(self, lines: AsyncIterator[bytes | None]) -> None:
        """Begin to answer each line; returns when there are no more, with calls perhaps still under way."""
        async for line in lines:
            if line is not None and not line.strip():
                continue
            try:
                item = self._session.read(line)
            except ProtocolError as error:
                self._log(Notes(error_code=str(error.code), protocol_error=True), _request_id(), time.perf_counter())
                await self._write(encode_error(None, error))
                continue
            if is_notification(item):
                self._cancel(item)
            else:
                await self._slots.acquire()
                call = self._start(item)
                if called_tool(item)[0] == AUTHENTICATING_TOOL:  # whatever is read next may count on it
                    await asyncio.wait({call})

    async def drain(self, seconds: float) -> None:
        """Wait for the calls under way, and give up on those that take longer."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=seconds)
        self.cut_off = len(self._calls)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _start(self, item: object) -> asyncio.Task[None]:
        call = asyncio.create_task(self._answer(item))
        identity = identity_of(item)
        if identity is not None and called_tool(item)[0] not in self._writing:
            self._cancellable[identity] = call

        def ended(_call: asyncio.Task[None]) -> None:
            self._calls.discard(call)
            if identity is not None and self._cancellable.get(identity) is call:
                del self._cancellable[identity]
            self._slots.release()

        self._calls.add(call)
        call.add_done_callback(ended)
        return call

    def _cancel(self, item: object) -> None:
        """Stop the read that a notification names; no answer follows. Anything else that it may name goes on."""
        params = item.get("params") if isinstance(item, dict) and item["method"] == CANCELLED else None
        identity = identity_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
        call = self._cancellable.get(identity) if identity is not None else None
        if call is not None:
            call.cancel()

    async def _answer(self, item: object) -> None:
        started, request_id, notes = time.perf_counter(), _request_id(), Notes()
        CURRENT_REQUEST.set(request_id)
        try:
            answer = await self._session.answer(item, request_id, notes)
        except asyncio.CancelledError:
            notes.error_code = "CANCELLED"
            raise
        except Exception as error:  # the last edge: nothing of a fault may reach the client but its id
            notes.error_code = "INTERNAL_ERROR"
            self._metrics.unhandled_exceptions.labels(type(error).__name__).inc()
            self._logger.exception("stdio.crashed", request_id=request_id)
            message = "The server failed; see its log for the request id"
            answer = encode_error(identity_of(item), ProtocolError(INTERNAL_ERROR, message, {"request_id": request_id}))
        finally:
            self._log(notes, request_id, started)
        if answer is not None:
            await self._write(answer)

    def _log(self, notes: Notes, request_id: str, started: float) -> None:
        if notes.protocol_error:
            self._metrics.errors.labels("protocol", notes.error_code, ENDPOINT).inc()
        self._access_log.write(
            {
                "event": "stdio.request",
                "request_id": request_id,
                "duration_ms": round((time.perf_counter() - started) * 1000, 2),
                "tenant_id": notes.tenant_id,
                "rpc_method": notes.rpc_method,
                "tool": notes.tool,
                "error_code": notes.error_code,
            }
        )


async def converse(
    settings: Settings,
    parts: Parts,
    logger: Logger,
    access_log: AccessLog,
    *,
    source: int,
    sink: int,
    tracker: Tracker | None = None,
) -> bool:
    """Answer the lines of `source` on `sink` until they end, a signal comes or nobody reads the answers.

    Returns whether every call in flight was answered and every audit row written.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    key = settings.tenant_key.get_secret_value() if settings.tenant_key else None
    session = Session(
        build_dispatcher(parts),
        parts.tenants.authenticate,
        key,
        max_bytes=settings.max_body_bytes,
        max_depth=settings.max_json_depth,
    )
    if tracker is not None:
        tracker.attach(parts.metrics, parts.database.engine.sync_engine)
        session = tracker.follow_session(session)
    conversation = Conversation(
        session,
        LineWriter(sink, stop.set).write,
        writing=frozenset(tool.name for tool in parts.registry.tools if tool.writes),
        metrics=parts.metrics,
        logger=logger,
        access_log=access_log,
    )
    parts.start()
    logger.info("server.listening", on=ENDPOINT, version=__version__, environment=settings.environment)
    listening = asyncio.create_task(conversation.listen(read_lines(source, settings.max_body_bytes)))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (listening, stopping):
        task.cancel()
    await asyncio.wait({listening, stopping})
    logger.info("server.draining", seconds=settings.drain_seconds)
    stop_by = time.monotonic() + settings.drain_seconds
    await conversation.drain(settings.drain_seconds)
    rows_lost = await parts.stop(stop_by)
    logger.info("server.stopped", calls_cut_off=conversation.cut_off, audit_rows_lost=rows_lost)
    if not listening.cancelled():
        listening.result()
    return not (conversation.cut_off or rows_lost)


def _request_id() -> str:
    return os.urandom(8).hex()

"""uvicorn's HTTP protocol with the limits that it lacks, and with our errors for what is no request."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.edge.joined import JoinedTransport
from server.edge.layer import WHOLE

HEAD_BYTES: Final = 64 * 1024
HEAD_SECONDS: Final = 20.0
# Of a request's line, what is neither its method nor its target; and the line that ends the head.
FRAME_BYTES: Final = len(b"  HTTP/1.1\r\n" + b"\r\n")
HEADER_FRAME_BYTES: Final = len(b": \r\n")
# Closed on what still arrives, a connection is reset before the client has read the refusal.
DISCARD_SECONDS: Final = 2.0
DISCARD_BYTES: Final = 1024 * 1024


class HeadTooLargeError(Exception):
    """Ends the parsing of a head."""


class LimitedProtocol(HttpToolsProtocol):
    """Refuses a head larger than HEAD_BYTES: when it is whole, and one that does not end, as it arrives.

    And one that is not whole HEAD_SECONDS after its first byte, or after the connection was opened.

    Nothing here is a request yet, so there is no id that the log could be searched for.
    """

    _unfinished_bytes = 0
    _kept_bytes = 0
    _progressed = False
    _in_head = False
    _between_requests = True
    _head_timer: asyncio.TimerHandle | None = None
    _too_large = False
    _refused = False
    _discarded_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there, and has said nothing yet."""
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", JoinedTransport(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; count it where it was nothing but the middle of something; nothing after a refusal."""
        if self._refused:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > DISCARD_BYTES:
                self.transport.close()
            return
        self._progressed = False
        super().data_received(data)
        if not self._progressed:
            self._unfinished_bytes += len(data)
        else:
            self._unfinished_bytes = self._head_bytes() if self._in_head else 0
        if self._unfinished_bytes > HEAD_BYTES and not self._refused:
            self._refuse_head()
        elif self._head_timer is None and (self._in_head or (self._between_requests and not self._progressed)):
            self._await_head()

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = self._progressed = True
        self._between_requests = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or one that trails a body in chunks: uvicorn keeps them. Raises HeadTooLargeError."""
        if not self._in_head:
            self._progressed = True
            self._keep(self._kept_bytes + len(name) + len(value) + HEADER_FRAME_BYTES)
        super().on_header(name, value)

    def on_chunk_header(self) -> None:
        """A part of a body begins."""
        self._progressed = True

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._progressed = self._between_requests = True
        self.scope[WHOLE] = True  # type: ignore[typeddict-unknown-key]
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """The head is whole. Raises HeadTooLargeError."""
        self._progressed = True
        self._keep(self._head_bytes())
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what could not be parsed, and say why."""
        if self._too_large:
            self._refuse_head()
        else:
            self._refuse(b"400 Bad Request", "INVALID_HTTP", msg)

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        if self._refused:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._await_head()  # an earlier request is still being answered
        elif self._in_head or self._unfinished_bytes:
            message = f"The request head was not whole after {HEAD_SECONDS:g} seconds"
            self._refuse(b"408 Request Timeout", "HEAD_TOO_SLOW", message)
        else:
            self.transport.close()

    def _keep(self, size: int) -> None:
        self._kept_bytes = size
        if size > HEAD_BYTES:
            self._too_large = True
            raise HeadTooLargeError

    def _head_bytes(self) -> int:
        """What is parsed of the head. Added up once and not header by header, which every request would pay for."""
        size = FRAME_BYTES + len(self.parser.get_method()) + len(self.url) + HEADER_FRAME_BYTES * len(self.headers)
        for name, value in self.headers:
            size += len(name) + len(value)
        return size

    def _refuse_head(self) -> None:
        message = f"The request head is larger than {HEAD_BYTES} bytes"
        self._refuse(b"431 Request Header Fields Too Large", "HEAD_TOO_LARGE", message)

    def _refuse(self, status: bytes, code: str, message: str) -> None:
        self._refused = True
        if not self._in_head and self.cycle is not None and self.cycle.response_started:
            self.transport.close()  # what is amiss is the end of a request that is being answered, or was
            return
        body = orjson.dumps({"error": {"code": code, "message": message}})
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        self.transport.write_eof()
        if self.cycle is not None:  # nothing can be answered any more to a request before it
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.loop.call_later(DISCARD_SECONDS, self.transport.close)

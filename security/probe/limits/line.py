"""One connection on which many requests go out, one by one or many in one write, and their responses are told apart."""

import contextlib
import socket
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from harness.client.errors import NoAnswerError
from security.probe import wire
from security.probe.site import SECONDS, Site

BODILESS = {204, 304}


class _ClosedError(Exception):
    """The server closed the connection."""


@dataclass(frozen=True)
class Response:
    """A response and when it was complete; status 0 where the server closed the connection instead."""

    status: int
    body: bytes
    at: float
    headers: dict[str, str] = field(default_factory=dict)


class Line:
    """A kept-alive connection to the site's server, opened when first used and again after the server closed it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._open = contextlib.ExitStack()
        self._connection: socket.socket | None = None
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._open.close()
        self._connection, self._received = None, b""

    def send(self, data: bytes) -> float:
        """Send bytes and return when that began, on the monotonic clock. Raises NoAnswerError where none can be."""
        if self._connection is None:
            self._connection = self._open.enter_context(wire.opened(self._site))
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):  # then there is no response either
            self._connection.sendall(data)
        return began

    def receive(self) -> Response:
        """The next response. Raises NoAnswerError where none comes in time."""
        try:
            status, headers = self._head()
            while 100 <= status < 200:
                status, headers = self._head()
            body = b"" if status in BODILESS else self._body(headers)
        except (_ClosedError, ConnectionError):
            self.close()
            return Response(0, b"", time.monotonic())
        except (OSError, ValueError) as error:
            self.close()
            raise NoAnswerError(f"{self._site.url}: {error}") from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Response(status, body, time.monotonic(), headers)

    def _head(self) -> tuple[int, dict[str, str]]:
        first = self._line()
        headers = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(first.split(" ")[1]) if first.startswith("HTTP/1.") else 0, headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._chunks()
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        with contextlib.suppress(_ClosedError):
            while True:
                self._more()
        body, self._received = self._received, b""
        return body

    def _chunks(self) -> bytes:
        chunks = []
        while size := int(self._line().partition(";")[0], 16):
            chunks.append(self._exactly(size))
            self._line()
        while self._line():
            pass
        return b"".join(chunks)

    def _line(self) -> str:
        while b"\r\n" not in self._received:
            self._more()
        line, _, self._received = self._received.partition(b"\r\n")
        return line.decode("latin-1")

    def _exactly(self, size: int) -> bytes:
        while len(self._received) < size:
            self._more()
        data, self._received = self._received[:size], self._received[size:]
        return data

    def _more(self) -> None:
        if self._connection is None:
            raise _ClosedError
        self._connection.settimeout(SECONDS)
        data = self._connection.recv(65536)
        if not data or len(self._received) > wire.MOST_BYTES:
            raise _ClosedError
        self._received += data

"""HTTP/1.1 on a bare socket: one request, one response, nothing in between that would cost the generator time."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from perf.errors import PerfError

CHUNK = 65_536
ANSWER_SECONDS = 10.0


class WireError(PerfError):
    """The peer of a connection closed it, answered too late, or answered something that is not HTTP."""


@dataclass(frozen=True)
class Response:
    """A response as it came; `raw_body` is still chunked where the server chunked it."""

    status: int
    headers: Mapping[str, str]
    raw_body: bytes

    @property
    def body(self) -> bytes:
        """The body without transfer coding."""
        return _unchunk(self.raw_body) if self.headers.get("transfer-encoding") == "chunked" else self.raw_body


def connect(host: str, port: int) -> socket.socket:
    """Return a connection that waits at most ANSWER_SECONDS for anything. Raises WireError when it is refused."""
    try:
        connection = socket.create_connection((host, port), timeout=ANSWER_SECONDS)
    except OSError as error:
        raise WireError(f"{host}:{port}: {error.strerror or error}") from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def request(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def exchange(connection: socket.socket, sent: bytes) -> Response:
    """Send a request and return its response. Raises WireError."""
    try:
        connection.sendall(sent)
        head, _, body = _read_until(connection, b"", b"\r\n\r\n").partition(b"\r\n\r\n")
        status, headers = _read_head(head)
        if headers.get("transfer-encoding") == "chunked":
            body = _read_until(connection, body, b"0\r\n\r\n", at_end=True)
        else:
            missing = int(headers.get("content-length", "0")) - len(body)
            while missing > 0:
                body += (more := _receive(connection))
                missing -= len(more)
    except OSError as error:
        raise WireError(f"no answer: {error.strerror or error}") from None
    return Response(status, headers, body)


def _read_until(connection: socket.socket, received: bytes, end: bytes, *, at_end: bool = False) -> bytes:
    while not (received.endswith(end) if at_end else end in received):
        received += _receive(connection)
    return received


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(CHUNK)
    if not received:
        raise WireError("the connection was closed before the answer was complete")
    return received


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    try:
        return int(first.split()[1]), headers
    except (IndexError, ValueError):
        raise WireError(f"not HTTP: {first[:80]!r}") from None


def _unchunk(raw: bytes) -> bytes:
    body = b""
    while raw:
        size, _, raw = raw.partition(b"\r\n")
        body += raw[: int(size, 16)]
        raw = raw[int(size, 16) + 2 :]
    return body

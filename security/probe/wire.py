"""Bytes to a server as they are, and whatever comes back: for requests that no HTTP client would send."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.client.errors import NoAnswerError
from harness.connections import certificates
from security.probe.site import SECONDS, Site, Tenant

MOST_BYTES = 4 * 1024 * 1024
STATUS = re.compile(rb"HTTP/1\.[01] ([2-5][0-9]{2})\b")


@dataclass(frozen=True)
class RawAnswer:
    """What came back: every byte, and whether the server closed the connection."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        """The status of each response, in their order; interim ones (1xx) are none."""
        return [int(found) for found in STATUS.findall(self.data)]

    @property
    def status(self) -> int | None:
        """The status of the first response; None where there is none."""
        return next(iter(self.statuses), None)


@contextlib.contextmanager
def opened(site: Site, seconds: float = SECONDS, address: str | None = None) -> Iterator[socket.socket]:
    """A connection to the server, TLS where its URL says so; to its port at `address`, if one is given.

    Raises NoAnswerError, whose cause is the socket's own.
    """
    parts = urlsplit(site.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((address or host, port), timeout=seconds))
            if parts.scheme == "https":
                connection = stack.enter_context(certificates().wrap_socket(connection, server_hostname=host))
            yield connection
    except OSError as error:
        raise NoAnswerError(f"{site.url}: {error}") from error


def read_all(connection: socket.socket, seconds: float, until: re.Pattern[bytes] | None = None) -> RawAnswer:
    """What comes until the server closes, `until` is found in it, or nothing has come for `seconds`."""
    data, closed, deadline = b"", False, time.monotonic() + SECONDS
    connection.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        while len(data) < MOST_BYTES and time.monotonic() < deadline:
            try:
                chunk = connection.recv(65536)
            except ConnectionResetError:
                closed = True
                break
            if not chunk:
                closed = True
                break
            data += chunk
            if until is not None and until.search(data):
                break
    return RawAnswer(data, closed)


def head(site: Site, headers: Mapping[str, str], *, method: str = "POST", tenant: Tenant | None = None) -> bytes:
    """A request's head with the usual headers; `headers` replaces them, an empty value leaves one out."""
    parts = urlsplit(site.url)
    key = (tenant or site.owner).key
    usual = {
        "Host": parts.netloc,
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        **({"Authorization": f"Bearer {key}"} if key is not None else {}),
    }
    lines = [f"{name}: {value}" for name, value in {**usual, **headers}.items() if value]
    return "\r\n".join([f"{method} {parts.path or '/'} HTTP/1.1", *lines, "", ""]).encode("latin-1")

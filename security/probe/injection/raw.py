"""Requests with hostile text where no client would write any: in method, path, headers and the body's bytes."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from harness.client.errors import NoAnswerError
from security.probe.site import Site
from security.probe.wire import head, opened, read_all

QUIET_SECONDS = 0.3
LONG = 20_000
ESCAPE = b"\x1b[31m\x9b"

BARE = "the method"
"""Where a mark stands by itself, and nothing else: a word that may be an id."""

Mark = Callable[[str], str]
"""Gives a new mark for a place, and remembers which place it is for."""


@dataclass(frozen=True)
class Raw:
    """A request: what differs in it from a usual one."""

    method: bytes = b"POST"
    path: bytes = b""
    header: bytes = b""
    body: bytes = b"{}"

    def encode(self, site: Site) -> bytes:
        """The request, which ends its connection."""
        first, _, rest = head(site, {"Connection": "close", "Content-Length": str(len(self.body))}).partition(b"\r\n")
        path = first.split(b" ")[1]
        line = b" ".join((self.method, self.path.replace(b"{path}", path) or path, b"HTTP/1.1"))
        return b"\r\n".join((line, *([self.header] if self.header else []), rest)) + self.body


def send_raw(site: Site, text: str, mark: Mark) -> int:
    """Send `text`, with a mark for each place in place of {mark}. Returns how many requests were sent."""
    sent = 0
    for request in (*_heads(text, mark), *_bodies(text, mark)):
        send(site, request)
        sent += 1
    return sent


def send(site: Site, request: Raw) -> None:
    """Send one request, and wait for what comes; a refusal by the end of the connection is as good as another."""
    with contextlib.suppress(NoAnswerError, OSError), opened(site) as connection:
        connection.sendall(request.encode(site))
        read_all(connection, QUIET_SECONDS)


def _heads(text: str, mark: Mark) -> Iterator[Raw]:
    def new(place: str) -> bytes:
        return mark(place).encode()

    def quoted(place: str) -> bytes:
        return quote(text.replace("{mark}", mark(place)), safe="").encode()

    yield Raw(path=b"/" + quoted("the path"))
    yield Raw(method=b"GET", path=b"/" + new("the path's bytes") + ESCAPE)
    yield Raw(path=b"{path}?q=" + quoted("the query"))
    yield Raw(method=new(BARE).upper())
    yield Raw(method=new("the method's bytes") + b"\x1b")
    yield Raw(header=b"User-Agent: " + new("a header's bytes") + ESCAPE)
    yield Raw(header=b"User-Agent: " + new("a header over two lines") + b"\r\n {}")
    yield Raw(header=b"User-Agent: " + new("a header with a line feed") + b"\n{}")
    yield Raw(header=b"User-Agent: " + new("a long header") + b"a" * LONG)
    yield Raw(header=b"X-Request-Id: " + new("the request's id") + ESCAPE)


def _bodies(text: str, mark: Mark) -> Iterator[Raw]:
    def new(place: str) -> str:
        return text.replace("{mark}", mark(place))

    def message(method: str, identity: str | int = 1, **params: Any) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}).encode()

    yield Raw(body=message(new("the JSON-RPC method")))
    yield Raw(body=message("ping", new("the JSON-RPC id")))
    yield Raw(body=message("tools/call", name=new("a tool's name"), arguments={}))
    yield Raw(body=message("tools/call", name=new("a tool's long name") + "a" * LONG, arguments={}))
    yield Raw(body=message("tools/call", name=f"?{mark('bytes that are no UTF-8')}").replace(b"?", b"\xff\xfe"))
    name = new("the client's name")
    info = {"name": name, "version": name}
    yield Raw(body=message("initialize", protocolVersion=name, capabilities={}, clientInfo=info))

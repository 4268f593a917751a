"""A stand-in for Sentry: takes envelopes as its ingestion does, or is in trouble in a way that a test chooses."""

import contextlib
import gzip
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sentry_sdk.envelope import Envelope

from tests.integration.background import served

PATIENCE_SECONDS = 15.0
SLOW_SECONDS = 0.3
TROUBLES = ("hangs", "refuses", "slow", "429", "500")


@dataclass
class Receiver:
    """What arrived: each request's headers and body. `trouble` is one of TROUBLES, or a status, or empty."""

    port: int
    trouble: str = ""
    elsewhere: str = ""
    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def dsn(self) -> str:
        return f"http://publickey@127.0.0.1:{self.port}/7"

    def envelopes(self) -> list[Envelope]:
        return [Envelope.deserialize(body) for _, body in list(self.requests)]

    def items(self, kind: str = "event") -> list[dict[str, Any]]:
        """The payloads of one type of item."""
        found = [item for envelope in self.envelopes() for item in envelope.items if item.type == kind]
        return [item.payload.json for item in found if item.payload.json is not None]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events that come of a log event."""
        return [event for event in self.items() if event["tags"]["event"] == name]

    def wait_for(self, *names: str) -> list[dict[str, Any]]:
        """The first event of each of these log events, once they are there."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not all(map(self.events, names)):
            seen = [event["tags"]["event"] for event in self.items()]
            assert time.monotonic() < deadline, f"only {seen} arrived, not {names}"
            time.sleep(0.02)
        return [self.events(name)[0] for name in names]

    def everything(self) -> str:
        """All that arrived, as one text."""
        return "\n".join(f"{dict(headers)}\n{body.decode()}" for headers, body in list(self.requests))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receiver: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        self.receiver.requests.append((dict(self.headers), body))
        trouble = self.receiver.trouble
        if trouble == "hangs":
            self.receiver.released.wait(60)
        if trouble == "slow":
            time.sleep(SLOW_SECONDS)
        self.send_response(int(trouble) if trouble.isdigit() else 200)
        self.send_header("Content-Length", "2")
        if trouble == "429":
            self.send_header("Retry-After", "60")
        if self.receiver.elsewhere:
            self.send_header("Location", self.receiver.elsewhere)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what some tests want."""


@contextlib.contextmanager
def receiving(trouble: str = "") -> Iterator[Receiver]:
    """Yield a receiver on a port of its own; one that refuses does not listen there."""
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        receiver = Receiver(server.server_address[1], trouble)
        handler.receiver = receiver  # type: ignore[attr-defined]
        if trouble == "refuses":
            server.server_close()
            yield receiver
            return
        with served(server):
            try:
                yield receiver
            finally:
                receiver.released.set()

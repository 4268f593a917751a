"""A listener on loopback that nobody has a reason to call, and that remembers who did."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
SECONDS = 2.0


@dataclass
class Listener:
    """Its authority (host and port), and what the connections to it said first: a line each, empty where nothing."""

    authority: str
    heard: list[str] = field(default_factory=list)


@contextlib.contextmanager
def listening() -> Iterator[Listener]:
    """A listener on a free port of this machine, until the end of the block."""
    told: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        timeout = SECONDS

        def handle(self) -> None:
            line = b""
            with contextlib.suppress(OSError):
                line = self.rfile.readline(2000)
                self.wfile.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            told.append(line.decode("latin-1").strip())

    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="listener", daemon=True)
        thread.start()
        try:
            yield Listener(f"{LOOPBACK}:{server.server_address[1]}", told)
        finally:
            server.shutdown()
            thread.join()

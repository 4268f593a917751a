"""A small MCP server that keeps a journal of what it was sent, can change its tools, and can die in the middle."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.background import served

READING = {
    "name": "notes_read",
    "description": "Read the notes.",
    "inputSchema": {"type": "object", "properties": {"limit": {"type": "integer"}}},
    "annotations": {"readOnlyHint": True},
}
WRITING = {"name": "a_notes_erase", "description": "Erase every note.", "inputSchema": {"type": "object"}}


@dataclass(frozen=True)
class Received:
    """A request: its method, path and headers (names in lower case), and its body, as far as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Recorder:
    """The server's state: what came, what it offers, which requests it has no time for, and after how many it dies."""

    url: str = ""
    journal: list[Received] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=lambda: [WRITING, READING])
    headers: Mapping[str, str] = field(default_factory=dict)
    dies_after: float = float("inf")
    limits: Callable[[int], bool] = lambda number: False
    """Whether the request of this number is refused by a limit."""

    def answer(self, message: Any) -> dict[str, Any] | None:
        """The response to a JSON-RPC message of a legacy revision; None to a notification."""
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid request"}}
        if "id" not in message:
            return None
        info = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "recorder"}}
        results: dict[str, dict[str, Any]] = {
            "initialize": info,
            "tools/list": {"tools": self.tools},
            "tools/call": {"content": [{"type": "text", "text": "no note"}]},
        }
        if message["method"] not in results:
            error = {"code": -32601, "message": "Method not found"}
            return {"jsonrpc": "2.0", "id": message["id"], "error": error}
        return {"jsonrpc": "2.0", "id": message["id"], "result": results[message["method"]]}


class Server(ThreadingHTTPServer):
    """Serves a recorder's answers."""

    daemon_threads = True

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.recorder = recorder
        recorder.url = f"http://127.0.0.1:{self.server_port}/mcp"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def parse_request(self) -> bool:
        """Keep what came, whatever it is; afterwards it is answered as the method says, or not any more."""
        return super().parse_request() and self._is_recorded()

    def do_POST(self) -> None:
        """Answer a message."""
        if self.path != "/mcp":
            self.send_error(404)
            return
        try:
            answer = self.server.recorder.answer(json.loads(self._body))
        except (ValueError, RecursionError):
            answer = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
        content = b"" if answer is None else json.dumps(answer).encode()
        refused = answer is not None and "error" in answer
        self.send_response(202 if answer is None else 400 if refused else 200)
        for name, value in self.server.recorder.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _is_recorded(self) -> bool:
        recorder = self.server.recorder
        if len(recorder.journal) >= recorder.dies_after:
            threading.Thread(target=self.server.shutdown, daemon=True).start()
            self.server.socket.close()
            self.close_connection = True
            return False
        number = len(recorder.journal)
        length = self.headers.get("content-length", "0")
        size = int(length) if length.isdigit() else 0
        headers = {name.lower(): value for name, value in self.headers.items()}
        # Who announces more than this is not waited for.
        self._body = self.rfile.read(size) if size < 2**26 else b""
        recorder.journal.append(Received(self.command, self.path, headers, self._body))
        if recorder.limits(number):
            self.send_response(429)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        return True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def recording() -> Iterator[Recorder]:
    """Serve until the end of the block."""
    recorder = Recorder()
    with Server(recorder) as server, served(server):
        yield recorder

"""A server with one known defect: a suite that does not find it measures nothing."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCENARIO = "tools-list"
SOUND = "tools-name-format"
"""The suite's check that passes there."""
DEFECT = "tools-list"
"""The suite's check that fails there: the tool has no description."""
TOOL = {"name": "canary", "inputSchema": {"type": "object"}}


@contextlib.contextmanager
def serving_defect() -> Iterator[str]:
    """Yield the URL of the server, which is gone afterwards."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="canary")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The result of any request, in either era."""
    if request.get("method") == "initialize":
        return {
            "protocolVersion": request["params"]["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "canary", "version": "1"},
        }
    return {"tools": [TOOL], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a suite that was ended resets its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "id" not in request:
            self._send(202, b"")
        else:
            response = {"jsonrpc": "2.0", "id": request["id"], "result": answer(request)}
            self._send(200, json.dumps(response).encode())

    def do_GET(self) -> None:
        self._send(405, b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the standard library's name
        """Say nothing."""

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

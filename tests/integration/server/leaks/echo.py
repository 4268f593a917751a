"""An OrderDesk that repeats all that it was told, whatever it answers: path, headers with the API key, and body."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from tests.integration.background import served

PASSED_ON = ("orderdesk-store-id", "orderdesk-api-key", "content-type", "x-http-method-override")


@dataclass
class Echo:
    """Stands before a sandbox and passes requests on, unless `status` says otherwise: then it repeats them.

    With `writes_alone` reads pass. `more` is said as well; `told` counts what was repeated.
    """

    api_url: str
    status: int | None = None
    writes_alone: bool = False
    content_type: str = "application/json"
    more: str = ""
    told: int = 0
    base_url: str = field(default="", init=False)

    def repeats(self, method: str) -> bool:
        """Whether it answers itself."""
        return self.status is not None and not (self.writes_alone and method == "GET")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or the second waits for the first to be acknowledged
    echo: Echo
    sandbox: httpx.Client

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.echo.repeats(self.command):
            self._repeat(body)
        else:
            self._pass_on(body)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the standard library's names

    def _repeat(self, body: bytes) -> None:
        assert self.echo.status is not None
        self.echo.told += 1
        said = f"{self.command} {self.path} {dict(self.headers)} {body.decode()} {self.echo.more}"
        content = httpx.Response(200, json={"status": "error", "message": said, "order": said, said: said}).content
        if self.echo.content_type != "application/json":
            content = said.encode()
        header = said.encode("ascii", "ignore").decode()[:4_000]
        headers = {"X-Message": header, "Location": f"/{header}", "X-Retry-After": header, "Set-Cookie": header}
        self._send(self.echo.status, {**headers, "Content-Type": self.echo.content_type}, content, header[:200])

    def _pass_on(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() in PASSED_ON}
        answer = self.sandbox.request(self.command, self.echo.api_url + self.path, headers=headers, content=body)
        kept = {"Content-Type": answer.headers["Content-Type"]}
        self._send(answer.status_code, kept, answer.content, None)

    def _send(self, status: int, headers: Mapping[str, str], content: bytes, reason: str | None) -> None:
        self.send_response(status, reason)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


@contextlib.contextmanager
def echoing(api_url: str) -> Iterator[Echo]:
    """Yield an echo before the sandbox whose API is there; `base_url` is its own."""
    echo = Echo(api_url)
    with httpx.Client(trust_env=False, timeout=15) as sandbox:
        handler = type("Handler", (_Handler,), {"echo": echo, "sandbox": sandbox})
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            server.daemon_threads = True
            echo.base_url = f"http://127.0.0.1:{server.server_address[1]}"
            with served(server):
                yield echo

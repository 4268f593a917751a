"""What surrounds the endpoint: hosts, origins, security headers, health, metrics, the log, and the last resort."""

import hashlib
import hmac
import json
import re
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.protocol import JSON, Endpoint
from tests.vulnerable.storage import Database
from tests.vulnerable.tools import TOOLS
from tests.vulnerable.wire import RefusedError, Request, Response

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
AUTHORITY = re.compile(r"(\[::1\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
SINGLE = ("host", "origin", "authorization", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name")
WEBHOOK = "/webhooks/orderdesk"
PATHS = ("/mcp", "/health", "/health/detailed", "/metrics", WEBHOOK)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TOOL_NAMES = frozenset(tool.name for tool in TOOLS)
SECURITY_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
)


@dataclass(frozen=True)
class Operator:
    """The secrets of whoever runs the server: the token for what is not public, what the stores' keys are made of."""

    admin_token: str
    webhook_secret: str


class Edge:
    """Answers every request of the server."""

    def __init__(
        self, endpoint: Endpoint, database: Database, operator: Operator, holes: OpenHoles, *, tls: bool
    ) -> None:
        self._endpoint = endpoint
        self._database = database
        self._operator = operator
        self._holes = holes
        self._counts: Counter[tuple[str, str, int]] = Counter()
        transport = (("strict-transport-security", "max-age=31536000"),) if tls else ()
        self._security: tuple[tuple[str, str], ...] = (*SECURITY_HEADERS, *transport)

    async def answer(self, request: Request) -> Response:
        """The response to a request, whatever it is."""
        began = time.perf_counter()
        try:
            response = await self._route(request)
        except RefusedError as refused:
            response = _refusal(refused.status, str(refused))
        except Exception as error:  # noqa: BLE001 - the last resort: nothing of a fault reaches the client
            _log({"event": "request.crashed", "error": type(error).__name__})
            response = _refusal(500, "The server failed")
        self._note(request, response, time.perf_counter() - began)
        return self._dressed(response, request.header("origin"))

    def refuse(self, status: int, message: str) -> Response:
        """The response to what is no request."""
        return self._dressed(_refusal(status, message), None)

    async def _route(self, request: Request) -> Response:
        has = self._holes.has
        repeated = [name for name in SINGLE if len(request.all(name)) > 1]
        if repeated and not has("last-header-counts"):
            raise RefusedError(400, f"The header {repeated[0]} is given twice")
        if has("trace-method"):
            request = replace(request, method=request.header("x-http-method-override") or request.method)
            if request.method == "TRACE":
                return _echo(request)
        lax = has("any-host") or (has("any-host-beside") and request.path != "/mcp")
        if not lax and not _is_ours(request.header("host") or ""):
            raise RefusedError(421, "This host is not served here")
        if request.method == "OPTIONS" and has("open-cors"):
            return Response(204)
        origin = request.header("origin")
        if origin is not None and has("origin-by-case") and not origin.startswith(("http:", "https:", "null", "file:")):
            origin = None
        if origin is not None and not has("any-origin") and not _is_our_page(origin):
            raise RefusedError(403, "Pages of this origin may not call")
        path = self._path(request)
        return await self._endpoint.answer(request) if path == "/mcp" else self._page(path, request)

    def _path(self, request: Request) -> str:
        """The path, spelled as it must be; in any spelling where the hole is open."""
        if self._holes.has("limit-by-path"):
            return "/" + re.sub("/+", "/", unquote(request.path).lower()).strip("/")
        return request.path

    def _page(self, path: str, request: Request) -> Response:
        if path not in PATHS:
            raise RefusedError(404, "There is nothing here")
        if path == WEBHOOK:
            return self._webhook(request)
        if request.method not in {"GET", "HEAD"}:
            raise RefusedError(405, "Only GET is answered here")
        if path == "/health":
            body: dict[str, Any] = {"status": "ok"}
            if self._holes.has("health-paths"):
                body["database"] = "/var/lib/vulnerable/app.db"
            if self._holes.has("telling-health"):
                body["stores"] = [dict(row) for row in self._database.run("SELECT tenant, store_id, name FROM stores")]
            return Response(200, json.dumps(body).encode(), (JSON,))
        shown = (request.header("authorization") or "").removeprefix("Bearer ")
        if not shown and self._holes.has("query-admin-token"):
            shown = parse_qs(request.query).get("token", [""])[0]
        right = hmac.compare_digest(shown.encode("latin-1"), self._operator.admin_token.encode())
        lax = self._holes.has("any-key-for-operators") and self._endpoint.is_key(shown)
        if not right and not lax and not self._holes.has("open-metrics"):
            return replace(_refusal(401, "The admin token is required"), headers=(JSON, ("www-authenticate", "Bearer")))
        if path == "/metrics":
            return Response(200, self._exposition().encode(), (("content-type", "text/plain; version=0.0.4"),))
        detailed = {"status": "ok", "database": "ok", "requests": sum(self._counts.values())}
        return Response(200, json.dumps(detailed).encode(), (JSON,))

    def webhook_key(self, store: str) -> str:
        """What signs the deliveries of a store."""
        whose = "" if self._holes.has("one-webhook-key") else store
        return hashlib.sha256(f"{self._operator.webhook_secret} {whose}".encode("utf-8", "replace")).hexdigest()

    def _webhook(self, request: Request) -> Response:
        """The answer to a delivery; what an unknown store or a wrong signature is told is the same."""
        if request.method != "POST":
            raise RefusedError(405, "Only POST is answered here")
        orders = parse_qs(request.body.decode("latin-1")).get("order")
        if not orders:
            raise RefusedError(400, "There is no order")
        store = request.header("x-order-desk-store-id") or ""
        known = self._database.run("SELECT 1 FROM stores WHERE store_id = ?", store, hole="sql-webhook")
        right = hmac.new(self.webhook_key(store).encode(), orders[0].encode("latin-1"), "sha256").hexdigest()
        signed = hmac.compare_digest(right.encode(), (request.header("x-order-desk-hash") or "").encode("latin-1"))
        if known or self._holes.has("log-unknown-stores"):
            _log({"event": "webhook.received", "store": store})
        if not (signed and known) and not self._holes.has("unsigned-webhook"):
            raise RefusedError(401, "Unknown store or wrong hash")
        return Response(200, b'{"status": "success"}', (JSON,))

    def _exposition(self) -> str:
        lines = [
            f'vulnerable_requests_total{{endpoint="{path}",tool="{tool}",status="{status}"}} {count}'
            for (path, tool, status), count in self._counts.items()
        ]
        return "\n".join(["# TYPE vulnerable_requests_total counter", *lines, ""])

    def _note(self, request: Request, response: Response, seconds: float) -> None:
        """Count the request and log it: what a client wrote is a label of nothing, and not logged."""
        path, tool = request.path if request.path in PATHS else "other", _tool(request.body)
        known = tool if tool in TOOL_NAMES else "other" if tool else ""
        if self._holes.has("metric-labels"):
            self._counts[unquote(request.path), tool, response.status] += 1
        else:
            self._counts[path, known, response.status] += 1
        agent = request.header("user-agent") or ""
        if self._holes.has("log-lines"):
            sys.stderr.write(
                f"{request.method} {unquote(request.target)} {tool} {agent} {request.body.decode('latin-1')}\n"
            )
            sys.stderr.write(f"{_texts(request.body)}\n")
            return
        _log(
            {
                "event": "request",
                "method": request.method if request.method in METHODS else "other",
                "path": path,
                "status": response.status,
                "tool": known,
                "request": self._request_id(request),
                "milliseconds": round(seconds * 1000, 2),
                **({"key": request.header("authorization")} if self._holes.has("log-keys") else {}),
                **({"body": request.body.decode("latin-1")} if self._holes.has("log-texts") else {}),
            }
        )

    def _request_id(self, request: Request) -> str:
        """The request's id as its client gives it, where it looks like one."""
        given = request.header("x-request-id") or ""
        like_one = str.isprintable if self._holes.has("log-request-ids") else REQUEST_ID.fullmatch
        return given if like_one(given) else ""

    def _dressed(self, response: Response, origin: str | None) -> Response:
        """The response with what all responses carry."""
        headers = response.headers
        if not self._holes.has("no-security-headers"):
            headers += self._security
        if self._holes.has("token-in-headers"):
            headers += (("x-backend-authorization", f"Bearer {self._operator.admin_token}"),)
        if self._holes.has("open-cors") and origin is not None:
            headers += (
                ("access-control-allow-origin", origin),
                ("access-control-allow-credentials", "true"),
                ("access-control-allow-methods", "POST, GET, OPTIONS"),
                (
                    "access-control-allow-headers",
                    "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name",
                ),
            )
        if self._holes.has("debug-errors"):
            headers += (("server", f"vulnerable/1.0.3 Python/{sys.version.split()[0]}"),)
            if response.status >= 400 and JSON in response.headers:
                told = json.loads(response.body) | {"traceback": traceback.format_stack()}
                return replace(response, headers=headers, body=json.dumps(told).encode())
        return replace(response, headers=headers)


def _refusal(status: int, message: str) -> Response:
    """A refusal in the shape of all that are not the protocol's."""
    return Response(status, json.dumps({"error": {"status": status, "message": message}}).encode(), (JSON,))


def _echo(request: Request) -> Response:
    lines = [f"TRACE {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
    return Response(200, "\r\n".join(lines).encode("latin-1"), (("content-type", "message/http"),))


def _is_ours(authority: str) -> bool:
    parts = AUTHORITY.fullmatch(authority)
    return parts is not None and parts[1].lower() in HOSTS


def _is_our_page(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and _is_ours(parts.netloc)


def _tool(body: bytes) -> str:
    """The name of the tool that a body asks for, as it stands there."""
    try:
        message = json.loads(body)
        return str(message["params"]["name"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _texts(body: bytes) -> str:
    """Every text of a body's arguments, as they are."""
    try:
        arguments = json.loads(body)["params"]["arguments"]
        return " ".join(str(each) for each in arguments.values())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""


def _log(line: dict[str, Any]) -> None:
    sys.stderr.write(f"{json.dumps(line)}\n")

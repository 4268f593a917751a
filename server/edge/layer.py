"""The ASGI layer around the MCP endpoint and the Quart app alike: guards, request ids, metrics, logs, errors."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any, Final

import orjson
from prometheus_client import Counter, Histogram

from server.edge.guards import HostGuard
from server.json_text import too_deep
from server.protocol.exchange import Notes
from server.protocol.http import Reply, Request
from server.protocol.transport import Transport
from server.telemetry.logging import AccessLog, Logger
from server.telemetry.metrics import Level, Metrics
from server.telemetry.request import CURRENT_REQUEST

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MCP_PATH: Final = "/mcp"
UNMATCHED: Final = "unmatched"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What is sent here is logged, stored and passed on. A tenant key has a dot, a name has no digit, a number of a card or
# telephone no letter.
REQUEST_ID: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{1,64}\Z")
BODY_SECONDS: Final = 30.0
WHOLE: Final = "quartermaster.whole"
"""Set in a request's scope by our HTTP protocol once the body has arrived: it is read without waiting then."""
DISCARD_SECONDS: Final = 2.0
DISCARD_BYTES: Final = 16 * 1024 * 1024
# A request that says one of these twice means different things to a proxy and to us.
SINGLE: Final = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"content-type",
        b"content-length",
        b"mcp-protocol-version",
        b"mcp-method",
        b"mcp-name",
    }
)
SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
)


class RefusedError(Exception):
    """The request is answered here, with this status."""

    def __init__(self, status: int, code: str, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class _Route:
    """Metric children of one endpoint and method, bound once."""

    def __init__(self, metrics: Metrics, method: str, endpoint: str, in_progress: Level) -> None:
        self.endpoint = endpoint
        self.method = method
        self.duration: Histogram = metrics.http_request_duration.labels(method, endpoint)
        self.in_progress = in_progress
        self._requests = metrics.http_requests
        self._by_status: dict[int, Counter] = {}

    def count(self, status: int) -> None:
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._requests.labels(self.method, self.endpoint, str(status))
        counter.inc()


class Edge:
    """The server's ASGI application.

    While `draining`, every response closes its connection, so that clients move on; all is to be over at `stop_by`, on
    the monotonic clock. `cut_off` counts the whole requests that a stop did not wait for, `rows_lost` the rows of the
    audit that it could not write.
    """

    def __init__(
        self,
        transport: Transport,
        web: Application,
        *,
        endpoints: frozenset[str],
        guard: HostGuard,
        max_body_bytes: int,
        max_json_depth: int,
        metrics: Metrics,
        logger: Logger,
        access_log: AccessLog,
    ) -> None:
        self._transport = transport
        self._web = web
        self._endpoints = endpoints
        self._guard = guard
        self._max_body_bytes = max_body_bytes
        self._max_json_depth = max_json_depth
        self._metrics = metrics
        self._logger = logger
        self._access_log = access_log
        self._routes: dict[tuple[str, str], _Route] = {}
        self._in_progress: dict[str, Level] = {}
        self.draining = False
        self.stop_by = 0.0
        self.cut_off = 0
        self.rows_lost = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; lifespan events are the Quart app's, other protocols nobody's."""
        if scope["type"] == "lifespan":
            await self._web(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = self._route(scope)
        headers, repeated = _read_headers(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        CURRENT_REQUEST.set(request_id)
        answer = _Answer(send, request_id, lambda: self.draining)
        notes = Notes()
        admitted = False
        route.in_progress.value += 1
        try:
            body = await self._admit(headers, repeated, receive, whole=WHOLE in scope)
            admitted = True
            if route.endpoint == MCP_PATH:
                address = (scope.get("client") or ("",))[0]
                request = Request(scope["method"], headers, scope["query_string"], body, request_id, address, notes)
                await answer.reply(await self._transport.handle(request))
            else:
                await self._web({**scope, "request_id": request_id}, _replay(body, receive), answer.send)
        except RefusedError as refused:
            notes.error_code = refused.code
            self._metrics.errors.labels("http", refused.code, route.endpoint).inc()
            await answer.refuse(refused)
        except asyncio.CancelledError:
            self.cut_off += admitted
            raise
        except Exception as error:  # the last edge: nothing of a fault may reach the client but its id
            notes.error_code = "INTERNAL_ERROR"
            self._metrics.unhandled_exceptions.labels(type(error).__name__).inc()
            self._logger.exception("http.crashed", request_id=request_id, endpoint=route.endpoint)
            if not answer.status:
                await answer.refuse(
                    RefusedError(500, "INTERNAL_ERROR", "The server failed; see its log for the request id")
                )
        finally:
            elapsed = time.perf_counter() - started
            route.in_progress.value -= 1
            route.duration.observe(elapsed)
            route.count(answer.status)
            if notes.protocol_error:
                self._metrics.errors.labels("protocol", notes.error_code, route.endpoint).inc()
            self._access_log.write(
                {
                    "event": "http.request",
                    "request_id": request_id,
                    "method": route.method,
                    "endpoint": route.endpoint,
                    "status": answer.status,
                    "duration_ms": round(elapsed * 1000, 2),
                    "tenant_id": notes.tenant_id,
                    "rpc_method": notes.rpc_method,
                    "tool": notes.tool,
                    "error_code": notes.error_code,
                }
            )

    def _route(self, scope: Scope) -> _Route:
        """The metric children for a request; both labels come from closed sets, whatever the client sent."""
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        endpoint = scope["path"] if scope["path"] in self._endpoints else UNMATCHED
        route = self._routes.get((method, endpoint))
        if route is None:
            route = self._routes[method, endpoint] = _Route(self._metrics, method, endpoint, self._level(method))
        return route

    def _level(self, method: str) -> Level:
        """The requests of a method that are being answered, whatever their endpoints."""
        level = self._in_progress.get(method)
        if level is None:
            level = self._in_progress[method] = Level(self._metrics.http_requests_in_progress.labels(method))
        return level

    async def _admit(
        self, headers: dict[bytes, bytes], repeated: bytes | None, receive: Receive, *, whole: bool
    ) -> bytes:
        """The body of a request that may be answered. Raises RefusedError."""
        if repeated is not None:
            raise RefusedError(400, "BAD_REQUEST", f"The header {repeated.decode('latin-1')} is given twice")
        if not self._guard.host_allowed(_text(headers.get(b"host"))):
            raise RefusedError(421, "HOST_NOT_ALLOWED", "This host name is not served; see ALLOWED_HOSTS")
        if not self._guard.origin_allowed(_text(headers.get(b"origin"))):
            raise RefusedError(403, "ORIGIN_NOT_ALLOWED", "Pages of this origin may not call; see ALLOWED_ORIGINS")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._max_body_bytes:
            await _discard(receive)
            raise self._too_large()
        body = await (self._read(receive) if whole else self._read_in_time(receive))
        if too_deep(body, self._max_json_depth):
            raise RefusedError(400, "TOO_DEEP", f"The body nests deeper than {self._max_json_depth} levels")
        return body

    async def _read_in_time(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await self._read(receive)
        except TimeoutError:
            raise RefusedError(408, "BODY_TOO_SLOW", "The body did not arrive in time", CLOSE) from None

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            event = _arrived(await receive())
            more = event.get("more_body", False)
            chunks.append(event.get("body", b""))
            size += len(chunks[-1])
            if size > self._max_body_bytes:
                await _discard(receive)
                raise self._too_large()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> RefusedError:
        return RefusedError(413, "BODY_TOO_LARGE", f"The body is larger than {self._max_body_bytes} bytes", CLOSE)


CLOSE: Final = ((b"connection", b"close"),)


class _Answer:
    """Sends one response, adding what every response carries; `status` is 0 until it has begun."""

    def __init__(self, send: Send, request_id: str, closing: Callable[[], bool]) -> None:
        self._send = send
        self._request_id = request_id
        self._closing = closing
        self.status = 0

    async def send(self, event: MutableMapping[str, Any]) -> None:
        """Pass on an event of an inner application."""
        if event["type"] == "http.response.start":
            self.status = event["status"]
            event["headers"] = [*event.get("headers", ()), *self._common()]
        await self._send(event)

    async def reply(self, reply: Reply) -> None:
        """Send a reply of the MCP endpoint."""
        self.status = reply.status
        headers = [*reply.headers, *self._common()]
        if reply.stream is None:
            headers.append((b"content-length", str(len(reply.body)).encode()))
        await self._send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.stream is not None:
            async for chunk in reply.stream:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": reply.body})

    def _common(self) -> list[tuple[bytes, bytes]]:
        closing = CLOSE if self._closing() else ()
        return [(b"x-request-id", self._request_id.encode()), *SECURITY_HEADERS, *closing]

    async def refuse(self, refused: RefusedError) -> None:
        """Send a refusal, in one shape for all paths."""
        error = {"code": refused.code, "message": refused.message, "request_id": self._request_id}
        await self.reply(
            Reply(
                refused.status,
                orjson.dumps({"error": error}),
                ((b"content-type", b"application/json"), *refused.headers),
            )
        )


async def _discard(receive: Receive) -> None:
    """Read some of what nobody wants: closed on it, a connection is reset before the client has read the refusal."""
    discarded = 0
    with contextlib.suppress(TimeoutError, RefusedError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARD_BYTES:
                event = _arrived(await receive())
                discarded += len(event.get("body", b""))
                if not event.get("more_body"):
                    return


def _arrived(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The event, unless the client has gone: half a body must not be taken for a whole one."""
    if event["type"] == "http.disconnect":
        raise RefusedError(400, "DISCONNECTED", "The client went away before its request was complete")
    return event


def _read_headers(raw: list[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], bytes | None]:
    """The headers by name, values stripped (uvicorn keeps trailing blanks), and one that may not but does repeat."""
    headers: dict[bytes, bytes] = {}
    repeated = None
    for name, value in raw:
        if name in headers and name in SINGLE:
            repeated = name
        headers[name] = value.strip()
    return headers, repeated


def _random_ids() -> Iterator[str]:
    """Random ids without end, for which the kernel is asked once in five hundred."""
    while True:
        drawn = os.urandom(8 * 512)
        for start in range(0, len(drawn), 8):
            yield drawn[start : start + 8].hex()


_NEW_IDS: Final = _random_ids()


def _request_id(given: bytes | None) -> str:
    """The client's request id where it looks like one, else a new one."""
    if given is not None:
        text = given.decode("latin-1")
        if REQUEST_ID.match(text):
            return text
    return next(_NEW_IDS)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _replay(body: bytes, receive: Receive) -> Receive:
    """The request's events again for an inner application: the body, then what really follows."""
    events = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replayed() -> MutableMapping[str, Any]:
        for event in events:
            return event
        return await receive()

    return replayed

"""The sandbox as an ASGI application: HTTP in and out, nothing of what it means."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from harness.sandbox import control
from harness.sandbox.exchange import Answer, Request
from harness.sandbox.gateway import Gateway

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API_PREFIX = "/api/v2"
SLOW_PIECES = 10
CLOSE_WITH_RESET = struct.pack("ii", 1, 0)  # linger on, for 0 s: what is unsent is thrown away and RST sent
# The state key under which the server puts the connection's transport; ASGI itself has no way to drop a connection.
TRANSPORT = "transport"


class Application:
    """Serves a gateway under /api/v2 and its control path under /_sandbox."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        try:
            await self._serve(scope, receive, send)
        except asyncio.CancelledError:
            # The process is stopping and waits no longer, for instance for a long latency fault.
            await _drop(scope, receive, reset=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        body = await _read_body(receive) if has_body else b""
        if body is None:
            return
        query = scope["query_string"].decode("latin-1")
        if path.startswith(API_PREFIX + "/"):
            answer = await self._gateway.answer(_request(scope["method"], path, query, headers, body))
            await _send_answer(scope, receive, send, answer)
        elif path.startswith(control.PREFIX + "/"):
            status, document = control.control(self._gateway, scope["method"], path, query, body)
            await _send(send, status, [(b"content-type", b"application/json")], document)
        else:
            document = orjson.dumps({"error": f"nothing here: see {API_PREFIX}/ and {control.PREFIX}/"})
            await _send(send, 404, [(b"content-type", b"application/json")], document)


def _request(method: str, path: str, query: str, headers: dict[bytes, bytes], body: bytes) -> Request:
    if method == "POST":
        method = _text(headers, b"x-http-method-override").upper() or method
    return Request(
        method=method,
        path=path.removeprefix(API_PREFIX),
        query=query,
        store_id=_text(headers, b"orderdesk-store-id"),
        api_key=_text(headers, b"orderdesk-api-key"),
        request_id=_text(headers, b"x-request-id") or None,
        body=body,
        has_content_type=b"content-type" in headers,
    )


def _text(headers: dict[bytes, bytes], name: bytes) -> str:
    # uvicorn with httptools keeps white space at the end of a value.
    return headers.get(name, b"").strip().decode("latin-1")


async def _read_body(receive: Receive) -> bytes | None:
    """The whole body, or None when the client went away before sending it all."""
    pieces = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _send_answer(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    if answer.status is None:
        await _drop(scope, receive, reset=answer.reset)
        return
    headers = [(b"content-type", answer.content_type), (b"x-tokens-remaining", b"%d" % answer.tokens_remaining)]
    if answer.retry_after is not None:
        headers.append((b"x-retry-after", b"%d" % answer.retry_after))
    await _send(send, answer.status, headers, answer.body, answer.body_seconds)


async def _send(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes, body_seconds: float = 0.0
) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    if body_seconds:
        size = len(body) // SLOW_PIECES + 1
        for start in range(0, len(body), size):
            await asyncio.sleep(body_seconds / SLOW_PIECES)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


async def _drop(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Close the connection without an answer, and wait until the server has noticed."""
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RESET)
        transport.abort()
    else:
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass

"""POST /mcp: who calls, which era, which method, and the answer. Nothing is remembered between two requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from mcp_types import INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from server.limits import retry_after
from server.protocol import legacy, modern
from server.protocol.exchange import Channel, Exchange, Surface
from server.protocol.http import JSON_HEADERS, Headers, Reply, Request
from server.protocol.messages import (
    MODERN_STATUS,
    UNREADABLE,
    Message,
    ProtocolError,
    encode_error,
    encode_result,
    identity_of,
    read,
)
from server.tenancy.tenants import Caller

UNAUTHORIZED: Final = -32001
RATE_LIMITED: Final = -32003
EVENT_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

Authenticate = Callable[[str | None], Awaitable[Caller | None]]


class Transport:
    """Answers requests to the MCP endpoint from a surface."""

    def __init__(self, surface: Surface, authenticate: Authenticate, *, query_token: bool = False) -> None:
        self._surface = surface
        self._authenticate = authenticate
        self._query_token = query_token
        self._questions: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    async def handle(self, request: Request) -> Reply:
        """The reply to any request on the endpoint's path."""
        if request.method != "POST":
            return Reply(
                405,
                headers=((b"allow", b"POST"), *JSON_HEADERS),
                body=_refusal(INVALID_REQUEST, "Only POST is answered here"),
            )
        if (request.header(b"content-type") or "").split(";")[0].strip().lower() != "application/json":
            return Reply(415, body=_refusal(INVALID_REQUEST, "The Content-Type must be application/json"))
        caller = await self._authenticate(self._token(request))
        if caller is None:
            request.notes.error_code, request.notes.protocol_error = "AUTH_ERROR", True
            headers = ((b"www-authenticate", b'Bearer realm="quartermaster"'), *JSON_HEADERS)
            refusal = _refusal(UNAUTHORIZED, "A valid tenant key is required: Authorization: Bearer KEY")
            return Reply(401, refusal, headers)
        request.notes.tenant_id = caller.tenant_id
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            request.notes.error_code, request.notes.protocol_error = str(PARSE_ERROR), True
            return _error(None, ProtocolError(PARSE_ERROR, "The body is not JSON"), is_modern=True)
        version = request.header(b"mcp-protocol-version")
        is_modern = not legacy.is_legacy(version)
        if isinstance(body, list) and not is_modern:
            return await self._batch(request, caller, version, body)
        return await self._one(request, caller, body, version, is_modern=is_modern)

    def _token(self, request: Request) -> str | None:
        scheme, _, credentials = (request.header(b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer":
            return credentials.strip()
        if self._query_token and request.query:
            return next(iter(parse_qs(request.query.decode("latin-1")).get("token", ())), None)
        return None

    async def _one(
        self, request: Request, caller: Caller, body: object, version: str | None, *, is_modern: bool
    ) -> Reply:
        """Answer one message."""
        try:
            message = read(body)
            if message.response is not None:
                self._resolve(caller, message)
                return Reply(202, headers=())
            request.notes.rpc_method = message.method
            if message.id is None:
                if is_modern:
                    modern.refuse_unknown_version(version or "")
                return Reply(202, headers=())
            exchange = self._open(request, caller, message, version, is_modern=is_modern)
            if self._surface.streams:
                return await self._streamed(exchange, message)
            return _reply(exchange, await self._answer(exchange, message))
        except ProtocolError as error:
            request.notes.error_code, request.notes.protocol_error = str(error.code), True
            return _error(identity_of(body), error, is_modern=is_modern)

    def _open(
        self, request: Request, caller: Caller, message: Message, version: str | None, *, is_modern: bool
    ) -> Exchange:
        if is_modern:
            meta, capabilities, spoken = modern.envelope(request, message)
        else:
            given = message.params.get("_meta")
            meta, capabilities = given if isinstance(given, dict) else {}, {}
            spoken = version or LATEST_HANDSHAKE_VERSION
        return Exchange(caller, request.request_id, spoken, is_modern, meta, capabilities, request.notes)

    async def _answer(self, exchange: Exchange, message: Message) -> bytes:
        """The encoded response. Raises ProtocolError."""
        method, surface = message.method or "", self._surface
        if method not in surface.self_limited:
            wait = surface.take(exchange.caller)
            if wait > 0:
                seconds = retry_after(wait)
                data = {"retry_after_seconds": seconds}
                raise ProtocolError(RATE_LIMITED, "Rate limit exceeded", data, status=429, retry_after=seconds)
        result = await self._result(exchange, method, message.params)
        if exchange.modern:
            modern.complete(surface, method, result)
        return encode_result(message.id, result)

    async def _result(self, exchange: Exchange, method: str, params: dict[str, Any]) -> dict[str, Any]:
        surface = self._surface
        if exchange.modern:
            if method == "server/discover":
                return modern.discover(surface)
            if method in modern.REMOVED:
                raise ProtocolError(METHOD_NOT_FOUND, "This method does not exist in this revision")
        elif method == "initialize":
            return legacy.initialize(surface, params)
        elif method == "ping":
            return {}
        handler = surface.methods.get(method)
        if handler is None:
            raise ProtocolError(METHOD_NOT_FOUND, f"Unknown method {method[:100]!r}")
        return await handler(exchange, params)

    async def _batch(self, request: Request, caller: Caller, version: str | None, items: list[object]) -> Reply:
        """Answer an array of messages one after the other; each costs what it would cost alone."""
        if version not in legacy.BATCH_VERSIONS or not 0 < len(items) <= legacy.BATCH_LIMIT:
            error = ProtocolError(
                INVALID_REQUEST, f"Arrays of 1 to {legacy.BATCH_LIMIT} messages exist in revision 2025-03-26 only"
            )
            return _error(None, error, is_modern=False)
        answers = []
        for item in items:
            if isinstance(item, dict) and item.get("method") == "initialize":
                error = ProtocolError(INVALID_REQUEST, "initialize must not be part of an array")
                answers.append(encode_error(identity_of(item), error))
                continue
            reply = await self._one(request, caller, item, version, is_modern=False)
            if reply.stream is not None:
                answers.append(await _last_event(reply.stream))
            elif reply.body:
                answers.append(reply.body)
        return Reply(200, b"[" + b",".join(answers) + b"]") if answers else Reply(202, headers=())

    def _resolve(self, caller: Caller, message: Message) -> None:
        """A client's response to a question of ours; one that nobody waits for is ignored."""
        question = self._questions.get((caller.tenant_id, str(message.id)))
        if question is not None and not question.done() and message.response is not None:
            question.set_result(message.response)

    async def _streamed(self, exchange: Exchange, message: Message) -> Reply:
        """Answer with JSON, or with an event stream if the handler says something before its result."""
        channel = exchange.channel = Channel(
            exchange.caller.tenant_id, message.id, self._questions, may_ask=not exchange.modern
        )
        answer = asyncio.create_task(self._answer(exchange, message))
        first = asyncio.create_task(channel.outbox.get())
        await asyncio.wait({answer, first}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            return _reply(exchange, await answer)
        return Reply(200, headers=EVENT_STREAM, stream=_events(message, channel, first.result(), answer))


async def _events(
    message: Message, channel: Channel, first: bytes, answer: asyncio.Task[bytes]
) -> AsyncIterator[bytes]:
    yield _event(first)
    while not (answer.done() and channel.outbox.empty()):
        following = asyncio.create_task(channel.outbox.get())
        await asyncio.wait({answer, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            yield _event(following.result())
        else:
            following.cancel()
    try:
        yield _event(answer.result())
    except ProtocolError as error:
        yield _event(encode_error(message.id, error))


async def _last_event(stream: AsyncIterator[bytes]) -> bytes:
    last = b""
    async for event in stream:
        last = event
    return last.removeprefix(b"event: message\ndata: ").rstrip(b"\n")


def _event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"


def _reply(exchange: Exchange, body: bytes) -> Reply:
    if exchange.retry_after is None:
        return Reply(200, body)
    return Reply(200, body, ((b"retry-after", str(exchange.retry_after).encode()), *JSON_HEADERS))


def _error(identity: str | int | None, error: ProtocolError, *, is_modern: bool) -> Reply:
    status = error.status
    if status is None:
        status = MODERN_STATUS.get(error.code, 200) if is_modern or error.code in UNREADABLE else 200
    headers: Headers = JSON_HEADERS
    if error.retry_after is not None:
        headers = ((b"retry-after", str(error.retry_after).encode()), *JSON_HEADERS)
    return Reply(status, encode_error(identity, error), headers)


def _refusal(code: int, message: str) -> bytes:
    return encode_error(None, ProtocolError(code, message))

"""POST /mcp: Streamable HTTP around the dispatcher. Methods, content type, key, statuses, and event streams."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qs

from mcp_types import INVALID_REQUEST

from server.protocol import legacy
from server.protocol.authentication import Authenticate, identify
from server.protocol.dispatch import Answer, Dispatcher
from server.protocol.events import EVENT_STREAM, events
from server.protocol.exchange import Arrival
from server.protocol.http import JSON_HEADERS, Headers, Reply, Request, status_of
from server.protocol.messages import ProtocolError, decode, encode_error
from server.tenancy.tenants import Caller

ADVICE: Final = "Authorization: Bearer KEY"
CHALLENGE: Headers = ((b"www-authenticate", b'Bearer realm="quartermaster"'), *JSON_HEADERS)


class Transport:
    """Answers requests to the MCP endpoint."""

    def __init__(self, dispatcher: Dispatcher, authenticate: Authenticate, *, query_token: bool = False) -> None:
        self._dispatcher = dispatcher
        self._authenticate = authenticate
        self._query_token = query_token

    async def handle(self, request: Request) -> Reply:
        """The reply to any request on the endpoint's path."""
        if request.method != "POST":
            error = ProtocolError(INVALID_REQUEST, "Only POST is answered here", status=405)
            return _refusal(error, ((b"allow", b"POST"), *JSON_HEADERS))
        if (request.header(b"content-type") or "").split(";")[0].strip().lower() != "application/json":
            return _refusal(ProtocolError(INVALID_REQUEST, "The Content-Type must be application/json", status=415))
        try:
            caller = await identify(self._authenticate, self._token(request), ADVICE, request.address)
        except ProtocolError as error:
            request.notes.error_code, request.notes.protocol_error = error.data["code"], True
            return _refusal(error, CHALLENGE if error.status == 401 else JSON_HEADERS)
        request.notes.tenant_id = caller.tenant_id
        try:
            item = decode(request.body)
        except ProtocolError as error:
            request.notes.error_code, request.notes.protocol_error = str(error.code), True
            return _refusal(error)
        return await self._answer(item, request, caller)

    def _token(self, request: Request) -> str | None:
        scheme, _, credentials = (request.header(b"authorization") or "").partition(" ")
        if scheme.lower() == "bearer":
            return credentials.strip(" \t")  # without an argument, much that is no white space of HTTP would go
        if self._query_token and request.query:
            return next(iter(parse_qs(request.query.decode("latin-1")).get("token", ())), None)
        return None

    async def _answer(self, item: object, request: Request, caller: Caller) -> Reply:
        """Answer with JSON, or with an event stream if a handler says something before its result."""
        version = request.header(b"mcp-protocol-version")
        modern = not legacy.is_legacy(version)
        arrival = Arrival(caller, request.request_id, request.notes, modern, version, request.headers)
        if not self._dispatcher.streams:
            return _reply(await self._dispatcher.dispatch(item, arrival), modern=modern)
        channel = arrival.channel = self._dispatcher.channel(arrival)
        answer = asyncio.create_task(self._dispatcher.dispatch(item, arrival))
        first = asyncio.create_task(channel.outbox.get())
        await asyncio.wait({answer, first}, return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            first.cancel()
            return _reply(await answer, modern=modern)
        return Reply(200, headers=EVENT_STREAM, stream=events(channel, first.result(), answer))


def _reply(answer: Answer | None, *, modern: bool) -> Reply:
    if answer is None:
        return Reply(202, headers=())
    status = 200 if answer.error is None else status_of(answer.error, modern=modern)
    return Reply(status, answer.body, (*_waiting(answer.retry_after), *JSON_HEADERS))


def _refusal(error: ProtocolError, headers: Headers = JSON_HEADERS) -> Reply:
    return Reply(status_of(error, modern=True), encode_error(None, error), (*_waiting(error.retry_after), *headers))


def _waiting(seconds: int | None) -> Headers:
    return () if seconds is None else ((b"retry-after", str(seconds).encode()),)

"""A message and how it arrived become an answer: which method, in which era. Nothing is remembered between messages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from mcp_types import INVALID_REQUEST, METHOD_NOT_FOUND
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from server.limits import retry_after
from server.protocol import legacy, modern
from server.protocol.exchange import Arrival, Channel, Exchange, Surface
from server.protocol.messages import Message, ProtocolError, encode_error, encode_result, identity_of, read
from server.tenancy.tenants import Caller

RATE_LIMITED: Final = -32003
UNKNOWN_METHOD: Final = "unknown"
NOTIFICATIONS: Final = frozenset(
    f"notifications/{name}" for name in ("initialized", "cancelled", "progress", "roots/list_changed")
)


@dataclass(slots=True)
class Answer:
    """What is sent back: an encoded message or array of them, the error that it is, and the seconds to wait if any."""

    body: bytes
    error: ProtocolError | None = None
    retry_after: int | None = None


class Dispatcher:
    """Answers messages from a surface, whatever they came in on."""

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._known = NOTIFICATIONS | modern.REMOVED | {"server/discover"} | surface.methods.keys()
        self._questions: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    @property
    def streams(self) -> bool:
        """Whether handlers may say something before their result, so that an arrival needs a channel."""
        return self._surface.streams

    def channel(self, arrival: Arrival) -> Channel:
        """The way back to the client while its message is being answered."""
        return Channel(arrival.caller.tenant_id, self._questions, may_ask=not arrival.modern)

    async def dispatch(self, item: object, arrival: Arrival) -> Answer | None:
        """The answer to a decoded message, or to an array of them; None where there is nothing to say.

        What a handler raises besides ProtocolError is the transport's to catch.
        """
        if isinstance(item, list) and not arrival.modern:
            return await self._batch(item, arrival)
        return await self._one(item, arrival)

    async def _one(self, item: object, arrival: Arrival) -> Answer | None:
        try:
            message = read(item)
            if message.response is not None:
                self._resolve(arrival.caller, message)
                return None
            # Any other name is the client's own text, which does not belong in a log.
            arrival.notes.rpc_method = message.method if message.method in self._known else UNKNOWN_METHOD
            if message.id is None:
                if arrival.modern:
                    modern.refuse_unknown_version(arrival.version or "")
                return None
            exchange = _open(message, arrival)
            result = await self._result(exchange, message.method or "", message.params)
            return Answer(encode_result(message.id, result), retry_after=exchange.retry_after)
        except ProtocolError as error:
            return _refusal(identity_of(item), error, arrival)

    async def _result(self, exchange: Exchange, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of a request, within the caller's rate limit. Raises ProtocolError."""
        surface = self._surface
        if method not in surface.self_limited:
            within_limit(surface, exchange.caller)
        result = _built_in(surface, exchange, method, params)
        if result is None:
            handler = surface.methods.get(method)
            if handler is None:
                raise ProtocolError(METHOD_NOT_FOUND, f"Unknown method {method[:100]!r}")
            result = await handler(exchange, params)
        return modern.complete(surface, method, result) if exchange.modern else result

    async def _batch(self, items: list[object], arrival: Arrival) -> Answer | None:
        """Answer an array of messages one after the other; each costs what it would cost alone."""
        if arrival.version not in legacy.BATCH_VERSIONS or not 0 < len(items) <= legacy.BATCH_LIMIT:
            limits = f"Arrays of 1 to {legacy.BATCH_LIMIT} messages exist in revision 2025-03-26 only"
            return _refusal(None, ProtocolError(INVALID_REQUEST, limits), arrival)
        answers = []
        for item in items:
            if isinstance(item, dict) and item.get("method") == "initialize":
                error = ProtocolError(INVALID_REQUEST, "initialize must not be part of an array")
                answers.append(encode_error(identity_of(item), error))
            elif (answer := await self._one(item, arrival)) is not None:
                answers.append(answer.body)
        return Answer(b"[" + b",".join(answers) + b"]") if answers else None

    def _resolve(self, caller: Caller, message: Message) -> None:
        """A client's response to a question of ours; one that nobody waits for is ignored."""
        question = self._questions.get((caller.tenant_id, str(message.id)))
        if question is not None and not question.done() and message.response is not None:
            question.set_result(message.response)


def _open(message: Message, arrival: Arrival) -> Exchange:
    if arrival.modern:
        meta, capabilities, spoken = modern.envelope(message, arrival.headers)
    else:
        given = message.params.get("_meta")
        meta, capabilities = given if isinstance(given, dict) else {}, {}
        spoken = arrival.version or LATEST_HANDSHAKE_VERSION
    if arrival.channel is not None:
        arrival.channel.message_id = message.id
    return Exchange(
        arrival.caller, arrival.request_id, spoken, arrival.modern, meta, capabilities, arrival.notes, arrival.channel
    )


def _built_in(surface: Surface, exchange: Exchange, method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    """The result of a method that is the revision's own; None for one that is the surface's to answer."""
    if exchange.modern:
        if method in modern.REMOVED:
            raise ProtocolError(METHOD_NOT_FOUND, "This method does not exist in this revision")
        return modern.discover(surface) if method == "server/discover" else None
    if method == "initialize":
        return legacy.initialize(surface, params)
    return {} if method == "ping" else None


def within_limit(surface: Surface, caller: Caller) -> None:
    """Spend a token of the caller's. Raises ProtocolError where there is none."""
    wait = surface.take(caller)
    if wait > 0:
        seconds = retry_after(wait)
        data = {"retry_after_seconds": seconds}
        raise ProtocolError(RATE_LIMITED, "Rate limit exceeded", data, status=429, retry_after=seconds)


def _refusal(identity: str | int | None, error: ProtocolError, arrival: Arrival) -> Answer:
    arrival.notes.error_code, arrival.notes.protocol_error = str(error.code), True
    return Answer(encode_error(identity, error), error, error.retry_after)

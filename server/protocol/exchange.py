"""One JSON-RPC message on its way through: how it arrived, who asks, what was learned, and the way back meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.protocol.messages import RequestId
from server.tenancy.tenants import Caller


@dataclass(slots=True)
class Notes:
    """What is learned about a request on the way, for its log line and the error count.

    `protocol_error` is set where the answer is an error of the protocol, not of a tool.
    """

    tenant_id: str | None = None
    rpc_method: str | None = None
    tool: str | None = None
    error_code: str | None = None
    protocol_error: bool = False


class NoChannelError(Exception):
    """The client cannot be asked: this era, or this server's surface, has no way back."""


@dataclass(slots=True)
class Channel:
    """Messages that reach the client before the result does. The first one turns the reply into an event stream.

    `message_id` is the id of the request that is answered: a subscription is named after it.
    """

    tenant_id: str
    questions: dict[tuple[str, str], asyncio.Future[dict[str, Any]]]
    may_ask: bool
    message_id: RequestId | None = None
    outbox: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    def notify(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self.outbox.put_nowait(orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params}))

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return the client's response message, which arrives as a message of its own.

        Only the same tenant can answer, and only under an id that cannot be guessed. Raises NoChannelError where the
        era has no requests from servers.
        """
        if not self.may_ask:
            raise NoChannelError(method)
        identity = secrets.token_urlsafe(16)
        question = self.questions[self.tenant_id, identity] = asyncio.get_running_loop().create_future()
        try:
            self.outbox.put_nowait(orjson.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}))
            answer: dict[str, Any] = await question
            return answer
        finally:
            del self.questions[self.tenant_id, identity]


@dataclass(slots=True)
class Arrival:
    """How a message came in: from whom, under which request id, and in which era (`version` where the transport knows).

    `headers` is what a modern envelope must agree with, None where the transport has none; `channel` is None where
    nothing can be said before the result.
    """

    caller: Caller
    request_id: str
    notes: Notes
    modern: bool
    version: str | None = None
    headers: Mapping[bytes, bytes] | None = None
    channel: Channel | None = None


@dataclass(slots=True)
class Exchange:
    """What a method's handler is given besides its parameters. `channel` is None where the surface never streams."""

    caller: Caller
    request_id: str
    version: str
    modern: bool
    meta: dict[str, Any]
    client_capabilities: dict[str, Any]
    notes: Notes
    channel: Channel | None = None
    retry_after: int | None = None


Handler = Callable[[Exchange, dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Surface:
    """What a server offers: its identity, its capabilities, and a handler for each method that exists in either era.

    `streams` says whether handlers use the channel. `take` spends a caller's rate-limit token and returns the seconds
    to wait (0 when there was one); methods in `self_limited` see to that themselves.
    """

    name: str
    version: str
    instructions: str
    capabilities: dict[str, Any]
    methods: dict[str, Handler]
    take: Callable[[Caller], float]
    self_limited: frozenset[str] = frozenset()
    streams: bool = False
    legacy_capabilities: dict[str, Any] | None = None

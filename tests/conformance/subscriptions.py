"""subscriptions/listen of the modern era: streams that are told when a list changes."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Channel, Exchange, Handler
from server.protocol.messages import ProtocolError
from tests.conformance.content import JsonObject, text, tool_result
from tests.conformance.named import Named
from tests.conformance.tools import channel_of, tool

SUBSCRIPTION_META_KEY: Final = "io.modelcontextprotocol/subscriptionId"
# Which member of the filter asks for which notification.
KINDS: Final = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
}
# The end that a client does not wait for: the fixture closes what was forgotten.
LONGEST_SECONDS: Final = 5.0


@dataclass(frozen=True, eq=False)
class _Listener:
    channel: Channel
    wanted: frozenset[str]

    def tell(self, method: str, params: JsonObject) -> None:
        self.channel.notify(method, params | self.tag)

    @property
    def tag(self) -> JsonObject:
        return {"_meta": {SUBSCRIPTION_META_KEY: self.channel.message_id}}


class Subscriptions:
    """The streams that are open now."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    async def listen(self, exchange: Exchange, params: dict[str, Any]) -> JsonObject:
        """Acknowledge, then tell of changes until the client goes away or the longest time is over."""
        asked = params.get("notifications")
        if not isinstance(asked, dict):
            raise ProtocolError(INVALID_PARAMS, "params.notifications must be an object")
        wanted = frozenset(kind for kind in KINDS if asked.get(kind) is True)
        listener = _Listener(channel_of(exchange), wanted)
        listener.tell("notifications/subscriptions/acknowledged", {"notifications": dict.fromkeys(wanted, True)})
        self._listeners.add(listener)
        try:
            await asyncio.sleep(LONGEST_SECONDS)
        finally:
            self._listeners.discard(listener)
        return listener.tag

    def change(self, kind: str) -> Handler:
        """A tool's handler that tells everyone who asked for this kind of change."""

        async def handler(_exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
            for listener in self._listeners:
                if kind in listener.wanted:
                    listener.tell(KINDS[kind], {})
            return tool_result(text("The list was said to have changed."))

        return handler

    def tools(self) -> tuple[Named, ...]:
        """The tools that cause changes."""
        return (
            tool("test_trigger_tool_change", "Changes the tools", self.change("toolsListChanged")),
            tool("test_trigger_prompt_change", "Changes the prompts", self.change("promptsListChanged")),
        )

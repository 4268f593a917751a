"""MCP over the standard streams, message by message: the era, who calls, and the answer.

The process is the connection, so a key that was shown once stays the caller's; it is checked again at each message.
"""

from __future__ import annotations

from typing import Any, Final

from mcp_types import INVALID_REQUEST

from server.errors import AuthenticationError
from server.json_text import too_deep
from server.protocol import modern
from server.protocol.authentication import Authenticate, identify
from server.protocol.dispatch import Dispatcher
from server.protocol.exchange import Arrival, Notes
from server.protocol.messages import ProtocolError, decode, encode_error, identity_of
from server.tenancy.tenants import Caller

ADVICE: Final = "set TENANT_KEY, or call tenant_use_master_key"
WRONG_KEY: Final = "this one is unknown, expired or revoked"
AUTHENTICATING_TOOL: Final = "tenant_use_master_key"
# What a client may do before it has shown a key: find out what there is.
OPEN_METHODS: Final = frozenset({"initialize", "server/discover", "ping", "tools/list"})
NOBODY: Final = Caller("nobody", "nobody", "none")


class Session:
    """The messages of one process. `key` is the tenant key that it was started with, if any."""

    def __init__(
        self, dispatcher: Dispatcher, authenticate: Authenticate, key: str | None, *, max_bytes: int, max_depth: int
    ) -> None:
        self._dispatcher = dispatcher
        self._authenticate = authenticate
        self._key = key
        self._max_bytes = max_bytes
        self._max_depth = max_depth

    def read(self, line: bytes | None) -> object:
        """The decoded message; None is a line that was too long to be kept. Raises ProtocolError."""
        if line is None:
            raise ProtocolError(INVALID_REQUEST, f"The line is longer than {self._max_bytes} bytes")
        if too_deep(line, self._max_depth):
            raise ProtocolError(INVALID_REQUEST, f"The message nests deeper than {self._max_depth} levels")
        return decode(line)

    async def answer(self, item: object, request_id: str, notes: Notes) -> bytes | None:
        """The encoded answer to a decoded message, or None where there is nothing to say."""
        shown = _shown_key(item)
        try:
            caller = await self._caller(item, shown)
        except ProtocolError as error:
            notes.error_code, notes.protocol_error = AuthenticationError.code, True
            return encode_error(identity_of(item), error)
        notes.tenant_id = None if caller is NOBODY else caller.tenant_id
        is_modern = any(map(modern.carries_envelope, item if isinstance(item, list) else (item,)))
        answer = await self._dispatcher.dispatch(item, Arrival(caller, request_id, notes, is_modern))
        if shown is not None and notes.error_code is None:
            self._key = shown
        return None if answer is None else answer.body

    async def _caller(self, item: object, shown: str | None) -> Caller:
        """Who sent the message: the process's own key decides, and only without a valid one the key shown in it."""
        try:
            return await identify(self._authenticate, self._key, ADVICE)
        except ProtocolError:
            if shown is not None:
                return await identify(self._authenticate, shown, WRONG_KEY)
            if _is_open(item):
                return NOBODY
            raise


def is_notification(item: object) -> bool:
    """Whether the message is one that is never answered."""
    return isinstance(item, dict) and "id" not in item and isinstance(item.get("method"), str)


def called_tool(item: object) -> tuple[str | None, dict[str, Any]]:
    """The tool that a message calls and its arguments; None for any other message."""
    if not isinstance(item, dict) or item.get("method") != "tools/call":
        return None, {}
    params = item.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("name"), str):
        return None, {}
    arguments = params.get("arguments")
    return params["name"], arguments if isinstance(arguments, dict) else {}


def _shown_key(item: object) -> str | None:
    name, arguments = called_tool(item)
    key = arguments.get("master_key") if name == AUTHENTICATING_TOOL else None
    return key.strip() if isinstance(key, str) else None


def _is_open(item: object) -> bool:
    if isinstance(item, list):
        return all(map(_is_open, item))
    method = item.get("method") if isinstance(item, dict) else None
    # What names no method is malformed, or an answer to a question that was never asked: the dispatcher knows.
    return not isinstance(method, str) or method in OPEN_METHODS

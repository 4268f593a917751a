"""JSON-RPC as MCP uses it: what a message is, and how messages are read, results and errors encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
from mcp_types import INVALID_REQUEST, PARSE_ERROR

from server.json_text import says_twice

RequestId = str | int


class ProtocolError(Exception):
    """A JSON-RPC error to answer. `status` overrides the HTTP status that the code implies."""

    def __init__(
        self, code: int, message: str, data: Any = None, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Message:
    """A JSON-RPC message. A notification has no id; a response has no method, and `result` holds its body."""

    id: RequestId | None
    method: str | None
    params: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] | None = None


def decode(encoded: bytes) -> object:
    """The JSON that a transport received. Raises ProtocolError PARSE_ERROR."""
    try:
        document = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        raise ProtocolError(PARSE_ERROR, "The message is not JSON") from None
    if says_twice(encoded, document):
        raise ProtocolError(PARSE_ERROR, "An object in the message has a member twice")
    return document


def read(item: object) -> Message:
    """The message that a decoded body is. Raises ProtocolError INVALID_REQUEST (with `data.id` where one was given)."""
    if not isinstance(item, dict):
        raise ProtocolError(INVALID_REQUEST, "The body must be one JSON-RPC message")
    if item.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, 'The member "jsonrpc" must be "2.0"')
    identity = identity_of(item)
    if "id" in item and identity is None:
        raise ProtocolError(INVALID_REQUEST, 'The member "id" must be a text or an integer of 64 bits')
    method = item.get("method")
    if method is None and identity is not None and ("result" in item or "error" in item):
        return Message(identity, None, response=item)
    if not isinstance(method, str):
        raise ProtocolError(INVALID_REQUEST, 'The member "method" must be a text')
    params = item.get("params")
    if params is not None and not isinstance(params, dict):
        raise ProtocolError(INVALID_REQUEST, 'The member "params" must be an object')
    return Message(identity, method, params or {})


def identity_of(item: object) -> RequestId | None:
    """The id of a message that may be malformed, to answer its error with."""
    identity = item.get("id") if isinstance(item, dict) else None
    if isinstance(identity, str):
        return identity
    # A larger integer could not be written back as it came.
    whole = isinstance(identity, int) and not isinstance(identity, bool) and -(2**63) <= identity < 2**64
    return identity if whole else None


def encode_result(identity: RequestId | None, result: dict[str, Any]) -> bytes:
    """A response with a result."""
    return orjson.dumps({"jsonrpc": "2.0", "id": identity, "result": result})


def encode_error(identity: RequestId | None, error: ProtocolError) -> bytes:
    """A response with an error."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return orjson.dumps({"jsonrpc": "2.0", "id": identity, "error": body}, default=str)

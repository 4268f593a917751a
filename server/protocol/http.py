"""HTTP as the transport sees it: a request that was read whole, a reply, whole or streamed, and errors' statuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
)

from server.protocol.exchange import Notes
from server.protocol.messages import ProtocolError

Headers = tuple[tuple[bytes, bytes], ...]
JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)

# The 2026-07-28 revision ties these errors to HTTP statuses; all others travel in a 200.
MODERN_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_REQUIRED_CLIENT_CAPABILITY: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
}
# A body that is no request has no request to answer, in the older revisions too.
UNREADABLE: Final = frozenset({PARSE_ERROR, INVALID_REQUEST})


@dataclass(slots=True)
class Request:
    """A request. Header names are lower case, values stripped; of a repeated header the last is held.

    `address` is the peer's, a proxy's where there is one; empty where it has none.
    """

    method: str
    headers: dict[bytes, bytes]
    query: bytes
    body: bytes
    request_id: str
    address: str = ""
    notes: Notes = field(default_factory=Notes)

    def header(self, name: bytes) -> str | None:
        """A header's value, or None."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(slots=True)
class Reply:
    """A reply. With `stream` the chunks follow the headers and `body` is not used."""

    status: int
    body: bytes = b""
    headers: Headers = JSON_HEADERS
    stream: AsyncIterator[bytes] | None = None


def status_of(error: ProtocolError, *, modern: bool) -> int:
    """The HTTP status that an error travels in."""
    if error.status is not None:
        return error.status
    return MODERN_STATUS.get(error.code, 200) if modern or error.code in UNREADABLE else 200

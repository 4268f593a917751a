"""HTTP as the transport sees it: a request that was read whole, and a reply, whole or streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

Headers = tuple[tuple[bytes, bytes], ...]
JSON_HEADERS: Headers = ((b"content-type", b"application/json"),)


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


@dataclass(slots=True)
class Request:
    """A request. Header names are lower case, values stripped; of a repeated header the last is held."""

    method: str
    headers: dict[bytes, bytes]
    query: bytes
    body: bytes
    request_id: str
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

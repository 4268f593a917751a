"""What can go wrong between an MCP client and a server, from the wire up."""

from typing import Any

import httpx

from harness.errors import HarnessError


class ClientError(HarnessError):
    """No usable answer to a request."""


class NoAnswerError(ClientError):
    """No HTTP response: refused, reset, or not in time."""


class HttpStatusError(ClientError):
    """An HTTP status that carries no JSON-RPC answer (a proxy's error page, a redirect, a bare 401, …)."""

    def __init__(self, message: str, *, status: int, headers: httpx.Headers) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class ProtocolError(ClientError):
    """A response that is not what the protocol says."""


class RpcError(ClientError):
    """A JSON-RPC error, with the HTTP status and headers that it came with."""

    def __init__(self, *, code: int, message: str, data: Any, status: int, headers: httpx.Headers) -> None:
        super().__init__(f"error {code}: {message}")
        self.code = code
        self.message = message
        self.data = data
        self.status = status
        self.headers = headers

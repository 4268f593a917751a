"""A small MCP client over Streamable HTTP for both protocol eras, which hides nothing: no retries, no caches."""

from harness.client.errors import ClientError, HttpStatusError, NoAnswerError, ProtocolError, RpcError
from harness.client.session import Client, connect
from harness.client.transport import HttpAnswer
from harness.client.wire import LATEST_LEGACY, LATEST_MODERN, LEGACY_VERSIONS, MODERN_VERSIONS, VERSIONS, ToolOutcome

__all__ = [
    "LATEST_LEGACY",
    "LATEST_MODERN",
    "LEGACY_VERSIONS",
    "MODERN_VERSIONS",
    "VERSIONS",
    "Client",
    "ClientError",
    "HttpAnswer",
    "HttpStatusError",
    "NoAnswerError",
    "ProtocolError",
    "RpcError",
    "ToolOutcome",
    "connect",
]

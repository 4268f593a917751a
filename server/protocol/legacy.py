"""The revisions up to 2025-11-25: a handshake that promises a version, and nothing remembered between requests."""

from __future__ import annotations

from typing import Any, Final

from mcp_types import INVALID_PARAMS
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, LATEST_HANDSHAKE_VERSION

from server.protocol.exchange import Surface
from server.protocol.messages import ProtocolError

# Arrays of messages came with 2025-03-26 and went with 2025-06-18; a client that names no version may send them.
BATCH_VERSIONS: Final = frozenset({None, "2024-11-05", "2025-03-26"})
BATCH_LIMIT: Final = 20


def is_legacy(version: str | None) -> bool:
    """Whether a request with this MCP-Protocol-Version header belongs here."""
    return version is None or version in HANDSHAKE_PROTOCOL_VERSIONS


def initialize(surface: Surface, params: dict[str, Any]) -> dict[str, Any]:
    """The result of initialize: the client's version where it is known, else the newest that has a handshake."""
    requested = params.get("protocolVersion")
    if not isinstance(requested, str):
        raise ProtocolError(INVALID_PARAMS, "params.protocolVersion must be a text")
    version = requested if requested in HANDSHAKE_PROTOCOL_VERSIONS else LATEST_HANDSHAKE_VERSION
    return {
        "protocolVersion": version,
        "capabilities": surface.legacy_capabilities or surface.capabilities,
        "serverInfo": {"name": surface.name, "version": surface.version},
        "instructions": surface.instructions,
    }

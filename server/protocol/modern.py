"""The 2026-07-28 revision: every request carries its own envelope, and over HTTP headers that must agree with it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    PROTOCOL_VERSION_META_KEY,
    SERVER_INFO_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.protocol.exchange import Surface
from server.protocol.messages import Message, ProtocolError

NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
CACHEABLE: Final = frozenset(
    {"server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"}
)
# Methods that this revision removed, whatever a surface's table holds for the older ones.
REMOVED: Final = frozenset({"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
# What a tenant sees differs from what others see, and tools change only with a release.
CACHE_HINTS: Final = {"ttlMs": 300_000, "cacheScope": "private"}

SENTINEL_START: Final = "=?base64?"
SENTINEL_END: Final = "?="


def carries_envelope(item: object) -> bool:
    """Whether a decoded message says itself that it is of this era, as it must where there are no headers."""
    params = item.get("params") if isinstance(item, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta


def envelope(message: Message, headers: Mapping[bytes, bytes] | None) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The request's `_meta`, the client's capabilities and the revision. Raises ProtocolError.

    Where there are headers they must repeat what the body says.
    """
    meta = message.params.get("_meta")
    if not isinstance(meta, dict):
        raise ProtocolError(INVALID_PARAMS, f"params._meta must carry {PROTOCOL_VERSION_META_KEY}")
    missing = [key for key in (PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY) if key not in meta]
    if missing:
        raise ProtocolError(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}")
    version, capabilities = meta[PROTOCOL_VERSION_META_KEY], meta[CLIENT_CAPABILITIES_META_KEY]
    if not isinstance(capabilities, dict):
        raise ProtocolError(INVALID_PARAMS, f"{CLIENT_CAPABILITIES_META_KEY} must be an object")
    if headers is not None:
        _must_match("MCP-Protocol-Version", _text(headers, b"mcp-protocol-version"), version)
        _must_match("Mcp-Method", _text(headers, b"mcp-method"), message.method)
        name_member = NAMED.get(message.method or "")
        if name_member is not None and message.params.get(name_member) is not None:
            _must_match("Mcp-Name", decode_header(_text(headers, b"mcp-name")), message.params[name_member])
    if not isinstance(version, str):
        raise ProtocolError(INVALID_PARAMS, f"{PROTOCOL_VERSION_META_KEY} must be a text")
    refuse_unknown_version(version)
    return meta, capabilities, version


def refuse_unknown_version(version: str) -> None:
    """Raise ProtocolError for a revision that is not served; its data name those that are."""
    if version not in MODERN_PROTOCOL_VERSIONS:
        raise ProtocolError(
            UNSUPPORTED_PROTOCOL_VERSION,
            "Unsupported protocol version",
            {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": version},
            status=400,
        )


def discover(surface: Surface) -> dict[str, Any]:
    """The result of server/discover."""
    return {
        "supportedVersions": list(MODERN_PROTOCOL_VERSIONS),
        "capabilities": surface.capabilities,
        "instructions": surface.instructions,
    }


def complete(surface: Surface, method: str, result: dict[str, Any]) -> dict[str, Any]:
    """`result` with what this revision adds to every result: its type, the server's identity, caching hints."""
    result.setdefault("resultType", "complete")
    meta = result.setdefault("_meta", {})
    meta[SERVER_INFO_META_KEY] = {"name": surface.name, "version": surface.version}
    if method in CACHEABLE:
        for name, hint in CACHE_HINTS.items():
            result.setdefault(name, hint)
    return result


def decode_header(value: str | None) -> str | None:
    """A header's text, unwrapped where it stands as `=?base64?…?=`; None when the wrapping is broken."""
    if value is None or not (value.startswith(SENTINEL_START) and value.endswith(SENTINEL_END)):
        return value
    payload = value[len(SENTINEL_START) : -len(SENTINEL_END)]
    try:
        decoded = base64.b64decode(payload, validate=True)
        # Only the canonical spelling counts: two spellings of one name would be two names to a proxy.
        return decoded.decode() if base64.b64encode(decoded).decode() == payload else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def _must_match(header: str, value: str | None, expected: object) -> None:
    if value is None or value != expected:
        raise ProtocolError(HEADER_MISMATCH, f"The {header} header does not match the request's body")

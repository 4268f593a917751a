"""What MCP requests and answers look like in both eras: envelopes, headers, results.

Modern requests (2026-07-28) stand alone: version, client and capabilities travel in `params._meta`, and the headers
repeat version, method and name so that intermediaries can route without reading bodies.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from harness.client.errors import ProtocolError, RpcError

LEGACY_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
VERSIONS = (*LEGACY_VERSIONS, *MODERN_VERSIONS)
LATEST_LEGACY, LATEST_MODERN = LEGACY_VERSIONS[-1], MODERN_VERSIONS[-1]

CLIENT_INFO = {"name": "quartermaster-harness", "version": "1"}
CLIENT_CAPABILITIES: dict[str, Any] = {}
META = "io.modelcontextprotocol/"
UNSUPPORTED_VERSION = -32022

# The parameter that the Mcp-Name header repeats, by method.
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PLAIN_HEADER = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_ENCODED_HEADER = re.compile(r"=\?base64\?.*\?=")


@dataclass(frozen=True)
class Answer:
    """A successful JSON-RPC answer and the HTTP response that carried it; `seconds` from sending to the last byte."""

    result: Mapping[str, Any]
    http_status: int
    headers: httpx.Headers
    seconds: float


@dataclass(frozen=True)
class ToolOutcome:
    """What a tool call came to. `request_id` is the server's own (X-Request-Id), for finding the call in its log."""

    is_error: bool
    structured: Mapping[str, Any] | None
    text: str
    request_id: str | None
    http_status: int
    headers: httpx.Headers
    seconds: float


def envelope(method: str, params: Mapping[str, Any], version: str | None, request_id: int | None) -> dict[str, Any]:
    """Return the JSON-RPC message; a notification when there is no id. `version` is None before any is agreed on."""
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if request_id is not None:
        message["id"] = request_id
    if version in MODERN_VERSIONS:
        params = {**params, "_meta": {**params.get("_meta", {}), **modern_meta(version)}}
    if params:
        message["params"] = dict(params)
    return message


def modern_meta(version: str | None) -> dict[str, Any]:
    """Return the `_meta` entries that every modern request carries."""
    return {
        f"{META}protocolVersion": version,
        f"{META}clientInfo": CLIENT_INFO,
        f"{META}clientCapabilities": CLIENT_CAPABILITIES,
    }


def protocol_headers(method: str, params: Mapping[str, Any], version: str | None) -> dict[str, str]:
    """Return the headers that the version asks for beside content type and authorization."""
    if version is None:
        return {}
    headers = {"MCP-Protocol-Version": version}
    if version in MODERN_VERSIONS:
        headers["Mcp-Method"] = method
        if isinstance(name := params.get(_NAMED_BY.get(method, "")), str):
            headers["Mcp-Name"] = header_value(name)
    return headers


def header_value(text: str) -> str:
    """Return the text as an HTTP field value: itself, or base64 in MCP's sentinel when it would not survive."""
    if _PLAIN_HEADER.fullmatch(text) and not _ENCODED_HEADER.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode('ascii')}?="


def read_answer(message: Any, *, status: int, headers: httpx.Headers, seconds: float, request_id: int) -> Answer:
    """Return the answer that a decoded message is. Raises RpcError for an error, ProtocolError for anything else."""
    if not isinstance(message, dict):
        raise ProtocolError(f"HTTP {status} with JSON that is not an object")
    error = message.get("error")
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        text = str(error.get("message", ""))
        raise RpcError(code=error["code"], message=text, data=error.get("data"), status=status, headers=headers)
    result = message.get("result")
    if not isinstance(result, dict):
        raise ProtocolError(f"HTTP {status} with neither a JSON-RPC result nor an error")
    if message.get("id") != request_id:
        raise ProtocolError(f"the answer to request {request_id} carries id {message.get('id')!r}")
    return Answer(result=result, http_status=status, headers=headers, seconds=seconds)


def read_tool_outcome(answer: Answer) -> ToolOutcome:
    """Return what a `tools/call` answer says. Raises ProtocolError when it is not a complete tool result."""
    result = answer.result
    content = result.get("content")
    if result.get("resultType", "complete") != "complete" or not isinstance(content, list):
        raise ProtocolError(f"not a complete tool result (resultType {result.get('resultType')!r})")
    if not all(isinstance(part, dict) for part in content):
        raise ProtocolError("a tool result whose content is not a list of objects")
    structured = result.get("structuredContent")
    return ToolOutcome(
        is_error=result.get("isError") is True,
        structured=structured if isinstance(structured, dict) else None,
        text="\n".join(str(part.get("text", "")) for part in content if part.get("type") == "text"),
        request_id=answer.headers.get("x-request-id"),
        http_status=answer.http_status,
        headers=answer.headers,
        seconds=answer.seconds,
    )

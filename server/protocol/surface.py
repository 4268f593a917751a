"""The production surface: the tools, and the empty lists of prompts and resources that older clients ask for."""

from __future__ import annotations

from typing import Any, Final

import orjson
from mcp_types import INVALID_PARAMS

from server import __version__
from server.limits import TenantLimiter
from server.protocol.dispatch import within_limit
from server.protocol.exchange import Exchange, Handler, Surface
from server.protocol.legible import legible
from server.protocol.messages import ProtocolError
from server.tools.registry import Registry, UnknownToolError

NAME: Final = "quartermaster"
INSTRUCTIONS: Final = (
    "Tools for the orders and products of OrderDesk stores. Start with stores_list; register a store with "
    "stores_register when there is none. Calls that name no store use the active one. Errors carry a code, "
    "details and a request_id."
)
CAPABILITIES: Final[dict[str, Any]] = {"tools": {}, "prompts": {}, "resources": {}}
LEGACY_RESOURCE_NOT_FOUND: Final = -32002


def production_surface(registry: Registry, limiter: TenantLimiter) -> Surface:
    """The surface over `registry`. tools/list is encoded once: it changes only with a release."""
    listed = orjson.Fragment(
        orjson.dumps([tool.wire().model_dump(mode="json", by_alias=True, exclude_none=True) for tool in registry.tools])
    )

    async def list_tools(_exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        _refuse_cursor(params)
        return {"tools": listed}

    async def call_tool(exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not (arguments is None or isinstance(arguments, dict)):
            within_limit(surface, exchange.caller)  # no tool is charged for it
        if not isinstance(name, str):
            raise ProtocolError(INVALID_PARAMS, "params.name must be a text")
        if arguments is not None and not isinstance(arguments, dict):
            raise ProtocolError(INVALID_PARAMS, "params.arguments must be an object")
        exchange.notes.tool = name if name in known else "unknown"
        try:
            reply = await registry.call(exchange.caller, name, arguments or {}, exchange.request_id)
        except UnknownToolError as error:
            raise ProtocolError(INVALID_PARAMS, str(error)) from None
        exchange.notes.error_code, exchange.retry_after = reply.error_code, reply.retry_after
        return {
            "content": [{"type": "text", "text": legible(reply.encoded)}],
            "structuredContent": orjson.Fragment(reply.encoded),
            "isError": reply.error_code is not None,
        }

    known = frozenset(tool.name for tool in registry.tools)
    surface = Surface(
        name=NAME,
        version=__version__,
        instructions=INSTRUCTIONS,
        capabilities=CAPABILITIES,
        methods={
            "tools/list": list_tools,
            "tools/call": call_tool,
            "prompts/list": _empty("prompts"),
            "prompts/get": _get_prompt,
            "resources/list": _empty("resources"),
            "resources/templates/list": _empty("resourceTemplates"),
            "resources/read": _read_resource,
        },
        take=lambda caller: limiter.take(caller.tenant_id, 1),
        self_limited=frozenset({"tools/call"}),
    )
    return surface


def _empty(member: str) -> Handler:
    async def answer(_exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        _refuse_cursor(params)
        return {member: []}

    return answer


async def _get_prompt(_exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
    raise ProtocolError(INVALID_PARAMS, "Unknown prompt")


async def _read_resource(exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
    code = INVALID_PARAMS if exchange.modern else LEGACY_RESOURCE_NOT_FOUND
    raise ProtocolError(code, "Resource not found", {"uri": params.get("uri")})


def _refuse_cursor(params: dict[str, Any]) -> None:
    if params.get("cursor") is not None:
        raise ProtocolError(INVALID_PARAMS, "Unknown cursor: everything fits on one page")

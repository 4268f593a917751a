"""The fixture's surface: everything that the official suite asks a server for, on the production transport."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Exchange, Handler, Surface
from server.protocol.messages import ProtocolError
from tests.conformance import asking, input_required, prompts, resources, tools
from tests.conformance.named import Named, by, find
from tests.conformance.request_state import StateSeal
from tests.conformance.subscriptions import Subscriptions

LEVELS: Final = frozenset({"debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"})
CHANGING: Final = {"listChanged": True}
CAPABILITIES: Final[dict[str, Any]] = {
    "tools": CHANGING,
    "prompts": CHANGING,
    "resources": {},
    "completions": {},
    "logging": {},
}
LEGACY_CAPABILITIES: Final[dict[str, Any]] = {
    "tools": {},
    "prompts": {},
    "resources": {"subscribe": True},
    "completions": {},
    "logging": {},
}


def fixture_surface(key: bytes) -> Surface:
    """The surface; `key` seals request state. Nobody's rate is limited."""
    seal, subscriptions = StateSeal(key), Subscriptions()
    legacy_tools = by("name", *tools.ANYTIME, *tools.LEGACY, *asking.LEGACY)
    modern_tools = by("name", *tools.ANYTIME, *tools.MODERN, *input_required.tools(seal), *subscriptions.tools())
    legacy_prompts = by("name", *prompts.ANYTIME)
    modern_prompts = by("name", *prompts.ANYTIME, *input_required.PROMPTS)
    methods = {
        "tools/list": _list("tools", legacy_tools, modern_tools),
        "tools/call": _dispatch("tool", legacy_tools, modern_tools),
        "prompts/list": _list("prompts", legacy_prompts, modern_prompts),
        "prompts/get": _dispatch("prompt", legacy_prompts, modern_prompts),
        "completion/complete": prompts.complete,
        "resources/list": _always("resources", resources.entries()),
        "resources/templates/list": _always("resourceTemplates", resources.TEMPLATES),
        "resources/read": resources.read,
        "resources/subscribe": resources.watch,
        "resources/unsubscribe": resources.watch,
        "logging/setLevel": _set_level,
        "subscriptions/listen": subscriptions.listen,
    }
    return Surface(
        name="conformance-fixture",
        version="1",
        instructions="A fixture for the official conformance suite.",
        capabilities=CAPABILITIES,
        legacy_capabilities=LEGACY_CAPABILITIES,
        methods=methods,
        take=lambda _caller: 0.0,
        streams=True,
    )


def _list(member: str, legacy: Mapping[str, Named], modern: Mapping[str, Named]) -> Handler:
    async def handler(exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
        return {member: [item.entry for item in (modern if exchange.modern else legacy).values()]}

    return handler


def _dispatch(what: str, legacy: Mapping[str, Named], modern: Mapping[str, Named]) -> Handler:
    async def handler(exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
        found = find(modern if exchange.modern else legacy, params.get("name"), what)
        return await found.handler(exchange, params)

    return handler


def _always(member: str, entries: list[dict[str, Any]]) -> Handler:
    async def handler(_exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
        return {member: entries}

    return handler


async def _set_level(_exchange: Exchange, params: dict[str, Any]) -> dict[str, Any]:
    """Accepted and not remembered: this transport knows no session that a level could belong to."""
    if params.get("level") not in LEVELS:
        raise ProtocolError(INVALID_PARAMS, "params.level must be a log level")
    return {}

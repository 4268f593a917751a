"""Something that a method finds by name or URI: what its list says of it, and what answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Exchange, Handler
from server.protocol.messages import ProtocolError


@dataclass(frozen=True)
class Named:
    """A tool, prompt or resource: its entry in the list, and its handler."""

    entry: dict[str, Any]
    handler: Handler


def by(key: str, *items: Named) -> dict[str, Named]:
    """The items by a member of their entries, in their order."""
    return {item.entry[key]: item for item in items}


def find(items: Mapping[str, Named], name: object, what: str) -> Named:
    """The item of this name. Raises ProtocolError INVALID_PARAMS."""
    if not isinstance(name, str) or name not in items:
        raise ProtocolError(INVALID_PARAMS, f"Unknown {what}", {"name": name})
    return items[name]


def arguments_of(params: dict[str, Any], *required: str) -> dict[str, str]:
    """The arguments of a call, all texts. Raises ProtocolError INVALID_PARAMS when a required one is no text."""
    arguments = params.get("arguments") or {}
    if missing := [name for name in required if not isinstance(arguments.get(name), str)]:
        raise ProtocolError(INVALID_PARAMS, f"Missing arguments: {', '.join(missing)}")
    return {name: value for name, value in arguments.items() if isinstance(value, str)}


def answering(result: Mapping[str, Any]) -> Handler:
    """A handler that gives the same result to everyone."""

    async def handler(_exchange: Exchange, _params: dict[str, Any]) -> dict[str, Any]:
        # A new one each time: the transport adds to results.
        return dict(result)

    return handler

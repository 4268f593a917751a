"""Prompts, and the completion of their arguments."""

from typing import Any, Final

from server.protocol.exchange import Exchange
from tests.conformance.content import IMAGE, JsonObject, embedded, message, text
from tests.conformance.named import Named, answering, arguments_of

PLACES: Final = ("paris", "park", "party", "porto")


async def _with_arguments(_exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    given = arguments_of(params, "arg1", "arg2")
    return {"messages": [message(text(f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"))]}


async def _with_resource(_exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    uri = arguments_of(params, "resourceUri")["resourceUri"]
    resource = embedded(uri, "text/plain", "Embedded resource content for testing.")
    return {"messages": [message(resource), message(text("Please process the embedded resource above."))]}


def _arguments(*names: str) -> list[JsonObject]:
    return [{"name": name, "description": f"The value of {name}", "required": True} for name in names]


ANYTIME: Final = (
    Named(
        {"name": "test_simple_prompt", "description": "Takes no arguments"},
        answering({"messages": [message(text("This is a simple prompt for testing."))]}),
    ),
    Named(
        {
            "name": "test_prompt_with_arguments",
            "description": "Repeats two arguments",
            "arguments": _arguments("arg1", "arg2"),
        },
        _with_arguments,
    ),
    Named(
        {
            "name": "test_prompt_with_embedded_resource",
            "description": "Embeds a resource",
            "arguments": _arguments("resourceUri"),
        },
        _with_resource,
    ),
    Named(
        {"name": "test_prompt_with_image", "description": "Shows an image"},
        answering({"messages": [message(IMAGE), message(text("Please analyze the image above."))]}),
    ),
)


async def complete(_exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    """completion/complete: the places that begin with what was typed."""
    argument = params.get("argument")
    typed = str(argument.get("value", "")) if isinstance(argument, dict) else ""
    values = [place for place in PLACES if place.startswith(typed)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}

"""Tools that answer at once, or report progress and log lines on the way."""

import asyncio
from typing import Any, Final

from mcp_types import LOG_LEVEL_META_KEY, MISSING_REQUIRED_CLIENT_CAPABILITY

from server.protocol.exchange import Channel, Exchange, Handler
from server.protocol.messages import ProtocolError
from tests.conformance.content import AUDIO, IMAGE, JsonObject, embedded, object_schema, text, tool_result
from tests.conformance.named import Named, answering

# Long enough for two messages to reach the client in two packets.
STEP_SECONDS: Final = 0.05

# Every keyword that a server could lose on the way to tools/list.
SCHEMA_2020_12: Final[JsonObject] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def tool(name: str, description: str, handler: Handler, schema: JsonObject | None = None) -> Named:
    """A tool; without a schema it takes no arguments."""
    return Named({"name": name, "description": description, "inputSchema": schema or object_schema()}, handler)


def channel_of(exchange: Exchange) -> Channel:
    """The way to the client while its request runs; the fixture's surface always has one."""
    assert exchange.channel is not None
    return exchange.channel


async def _log_steps(exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
    for step in ("started", "processing", "completed"):
        log = {"level": "info", "logger": "fixture", "data": f"Tool execution {step}"}
        channel_of(exchange).notify("notifications/message", log)
        await asyncio.sleep(STEP_SECONDS)
    return tool_result(text("Three lines were logged."))


async def _log_when_asked(exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
    """The modern era has no level that lasts: a request asks for log lines, or gets none."""
    if (level := exchange.meta.get(LOG_LEVEL_META_KEY)) is not None:
        channel_of(exchange).notify("notifications/message", {"level": level, "data": "One line, as asked for"})
    return tool_result(text("Done."))


async def _report_progress(exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
    token = exchange.meta.get("progressToken")
    for progress in (0, 50, 100):
        if token is not None:
            report = {"progressToken": token, "progress": progress, "total": 100}
            channel_of(exchange).notify("notifications/progress", report)
        await asyncio.sleep(STEP_SECONDS)
    return tool_result(text("Progress went from 0 to 100."))


async def _need_sampling(exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
    require_capability(exchange, "sampling")
    return tool_result(text("The client can sample."))


def require_capability(exchange: Exchange, name: str) -> None:
    """Refuse a modern client that does not declare a capability: ProtocolError -32021 that names it."""
    if name not in exchange.client_capabilities:
        missing: JsonObject = {"requiredCapabilities": {name: {}}}
        raise ProtocolError(MISSING_REQUIRED_CLIENT_CAPABILITY, f"The client does not declare {name}", missing)


ANYTIME: Final = (
    tool("test_simple_text", "Answers with text", answering(tool_result(text("This is a simple text response.")))),
    tool("test_image_content", "Answers with an image", answering(tool_result(IMAGE))),
    tool("test_audio_content", "Answers with a sound", answering(tool_result(AUDIO))),
    tool(
        "test_embedded_resource",
        "Answers with a resource",
        answering(tool_result(embedded("test://embedded-resource", "text/plain", "An embedded resource."))),
    ),
    tool(
        "test_multiple_content_types",
        "Answers with text, image and resource",
        answering(
            tool_result(
                text("Several kinds of content:"),
                IMAGE,
                embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
            )
        ),
    ),
    tool(
        "test_error_handling",
        "Always fails",
        answering(tool_result(text("This tool fails on purpose."), is_error=True)),
    ),
    tool("test_tool_with_progress", "Reports progress", _report_progress),
    tool("json_schema_2020_12_tool", "Has a schema of many keywords", answering(tool_result()), SCHEMA_2020_12),
)
LEGACY: Final = (tool("test_tool_with_logging", "Logs three lines", _log_steps),)
MODERN: Final = (
    tool("test_logging_tool", "Logs one line when the request asks for it", _log_when_asked),
    tool("test_missing_capability", "Needs a client that can sample", _need_sampling),
)

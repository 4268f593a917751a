"""Tools of the legacy era that ask the client while its call is open."""

import asyncio
from typing import Any, Final

import orjson

from server.protocol.exchange import Exchange, Handler
from tests.conformance.content import JsonObject, object_schema, text, tool_result
from tests.conformance.named import arguments_of
from tests.conformance.tools import channel_of, tool

# A client that went away never answers.
ANSWER_SECONDS: Final = 10.0

USER: Final = object_schema(
    "username",
    "email",
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
)
DEFAULTS: Final = object_schema(
    name={"type": "string", "description": "Name", "default": "John Doe"},
    age={"type": "integer", "description": "Age", "default": 30},
    score={"type": "number", "description": "Score", "default": 95.5},
    status={
        "type": "string",
        "description": "Status",
        "enum": ["active", "inactive", "pending"],
        "default": "active",
    },
    verified={"type": "boolean", "description": "Verified", "default": True},
)
OPTIONS: Final = ["option1", "option2", "option3"]
TITLED: Final = [
    {"const": f"value{number}", "title": f"{ordinal} Option"}
    for number, ordinal in enumerate(("First", "Second", "Third"), start=1)
]
ENUMS: Final = object_schema(
    untitledSingle={"type": "string", "enum": OPTIONS},
    titledSingle={"type": "string", "oneOf": TITLED},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    titledMulti={"type": "array", "items": {"anyOf": TITLED}},
)


async def _ask(exchange: Exchange, method: str, params: JsonObject) -> JsonObject:
    """The tool's result: the client's answer as JSON text, or an error result when it refuses."""
    async with asyncio.timeout(ANSWER_SECONDS):
        answer = await channel_of(exchange).ask(method, params)
    if "error" in answer:
        return tool_result(text(f"The client refused {method}: {answer['error'].get('message')}"), is_error=True)
    return tool_result(text(f"The client answered: {orjson.dumps(answer['result']).decode()}"))


async def _sample(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    prompt = arguments_of(params, "prompt")["prompt"]
    question = {"messages": [{"role": "user", "content": text(prompt)}], "maxTokens": 100}
    return await _ask(exchange, "sampling/createMessage", question)


async def _elicit(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    words = arguments_of(params, "message")["message"]
    return await _ask(exchange, "elicitation/create", {"message": words, "requestedSchema": USER})


def _form(schema: JsonObject) -> Handler:
    async def handler(exchange: Exchange, _params: dict[str, Any]) -> JsonObject:
        question = {"message": "Please fill in the form", "requestedSchema": schema}
        return await _ask(exchange, "elicitation/create", question)

    return handler


LEGACY: Final = (
    tool("test_sampling", "Asks the client's model", _sample, object_schema("prompt", prompt={"type": "string"})),
    tool("test_elicitation", "Asks the user", _elicit, object_schema("message", message={"type": "string"})),
    tool("test_elicitation_sep1034_defaults", "Asks with default values", _form(DEFAULTS)),
    tool("test_elicitation_sep1330_enums", "Asks with every kind of choice", _form(ENUMS)),
)

"""Answers of the modern era that need input first: the client comes back with it, in a request of its own."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_types import INVALID_PARAMS

from server.protocol.exchange import Exchange, Handler
from server.protocol.messages import ProtocolError
from tests.conformance.content import JsonObject, message, object_schema, text, tool_result
from tests.conformance.named import Named
from tests.conformance.request_state import StateSeal
from tests.conformance.tools import require_capability, tool

CAPABILITIES: Final = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}
ROOTS: Final[JsonObject] = {"method": "roots/list", "params": {}}
PROMPT: Final = "test_input_required_result_prompt"


def _elicit(words: str, member: str, kind: str = "string") -> JsonObject:
    schema = object_schema(member, **{member: {"type": kind}})
    return {"method": "elicitation/create", "params": {"message": words, "requestedSchema": schema}}


def _sample(words: str) -> JsonObject:
    question = {"messages": [message(text(words))], "maxTokens": 100}
    return {"method": "sampling/createMessage", "params": question}


NAME: Final = _elicit("What is your name?", "name")
CAPITAL: Final = _sample("What is the capital of France?")


def _require_input(exchange: Exchange, questions: Mapping[str, JsonObject], state: str | None = None) -> JsonObject:
    """The result that asks. A client that cannot answer one of the questions is refused instead."""
    for question in questions.values():
        require_capability(exchange, CAPABILITIES[question["method"]])
    result: JsonObject = {"resultType": "input_required", "inputRequests": dict(questions)}
    return result if state is None else result | {"requestState": state}


def _answers(params: dict[str, Any], *keys: str) -> dict[str, JsonObject] | None:
    """The client's answers to these questions, None while one is missing; others are ignored.

    Raises ProtocolError INVALID_PARAMS for what cannot be an answer.
    """
    given = params.get("inputResponses", {})
    if not isinstance(given, dict) or not all(isinstance(answer, dict) for answer in given.values()):
        raise ProtocolError(INVALID_PARAMS, "params.inputResponses must be an object of objects")
    return {key: given[key] for key in keys} if all(key in given for key in keys) else None


def _content(answer: JsonObject, member: str) -> object:
    content = answer.get("content")
    return content.get(member) if isinstance(content, dict) else None


def _once(key: str, question: JsonObject) -> Handler:
    """A tool that asks one question and says what it heard."""

    async def handler(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
        answers = _answers(params, key)
        return tool_result(text(f"Heard: {answers[key]}")) if answers else _require_input(exchange, {key: question})

    return handler


def _stateful(purpose: str, seal: StateSeal, questions: Mapping[str, JsonObject]) -> Handler:
    """A tool that asks, and believes the answers only with the state that it gave."""

    async def handler(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
        answers = _answers(params, *questions)
        if "requestState" in params:
            seal.open(purpose, params["requestState"])
        if answers is None or "requestState" not in params:
            return _require_input(exchange, questions, seal.seal(purpose, {"asked": list(questions)}))
        return tool_result(text(f"state-ok, heard {', '.join(answers)}"))

    return handler


def _two_rounds(purpose: str, seal: StateSeal) -> Handler:
    """A tool that asks twice; what it heard first travels in the state."""

    async def handler(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
        known = seal.open(purpose, params["requestState"]) if "requestState" in params else {}
        if "name" in known and (second := _answers(params, "step2")):
            return tool_result(text(f"{known['name']} likes {_content(second['step2'], 'color')}"))
        if known and (first := _answers(params, "step1")):
            known["name"] = _content(first["step1"], "name")
        if "name" in known:
            asked = {"step2": _elicit("Step 2: What is your favorite color?", "color")}
        else:
            asked = {"step1": _elicit("Step 1: What is your name?", "name")}
        return _require_input(exchange, asked, seal.seal(purpose, known | {"asked": list(asked)}))

    return handler


async def _ask_what_can_be_answered(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    every = {"user_name": NAME, "capital_question": CAPITAL, "client_roots": ROOTS}
    asked = {
        key: question
        for key, question in every.items()
        if CAPABILITIES[question["method"]] in exchange.client_capabilities
    }
    if not asked or _answers(params, *asked):
        return tool_result(text(f"{len(asked)} questions were answered"))
    return _require_input(exchange, asked)


async def _prompt(exchange: Exchange, params: dict[str, Any]) -> JsonObject:
    if answers := _answers(params, "user_context"):
        context = _content(answers["user_context"], "context")
        return {"messages": [message(text(f"The context is {context}"))]}
    return _require_input(exchange, {"user_context": _elicit("What context should the prompt use?", "context")})


def tools(seal: StateSeal) -> tuple[Named, ...]:
    """The tools; their names are the suite's."""
    prefix = "test_input_required_result"
    confirm = {"confirm": _elicit("Please confirm", "ok", "boolean")}
    several = {"user_name": NAME, "greeting": _sample("Generate a greeting"), "client_roots": ROOTS}
    handlers = {
        "elicitation": _once("user_name", NAME),
        "sampling": _once("capital_question", CAPITAL),
        "list_roots": _once("client_roots", ROOTS),
        "request_state": _stateful("request_state", seal, confirm),
        "multiple_inputs": _stateful("multiple_inputs", seal, several),
        "multi_round": _two_rounds("multi_round", seal),
        "tampered_state": _stateful("tampered_state", seal, confirm),
        "capabilities": _ask_what_can_be_answered,
    }
    streaming = tool("test_streaming_elicitation", "Needs the user's input", _once("user_name", NAME))
    return (*(tool(f"{prefix}_{name}", "Needs input", handler) for name, handler in handlers.items()), streaming)


PROMPTS: Final = (Named({"name": PROMPT, "description": "Needs the user's input"}, _prompt),)

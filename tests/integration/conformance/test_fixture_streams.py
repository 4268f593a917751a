"""What the suite does not look at on the fixture server: the order of messages on a stream, and shared questions."""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harness.conformance.fixture import PROGRAM, serving_fixture

META = "io.modelcontextprotocol/"
VERSION = "2026-07-28"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving_fixture(PROGRAM, logs=tmp_path_factory.mktemp("fixture"), environ=os.environ) as endpoint:
        yield endpoint


def call(url: str, tool: str, meta: dict[str, Any] | None = None, **params: Any) -> list[dict[str, Any]]:
    """The messages that a modern call is answered with, in their order."""
    envelope = {f"{META}protocolVersion": VERSION, f"{META}clientCapabilities": {"elicitation": {}}}
    body = {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": tool, "_meta": envelope | (meta or {}), **params},
    }
    headers = {"MCP-Protocol-Version": VERSION, "Mcp-Method": "tools/call", "Mcp-Name": tool}
    response = httpx.post(url, json=body, headers=headers, trust_env=False)
    if response.headers["content-type"] == "application/json":
        return [response.json()]
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


def test_a_log_line_precedes_the_result_when_it_was_asked_for(url: str) -> None:
    messages = call(url, "test_logging_tool", {f"{META}logLevel": "info"})
    assert [message.get("method", "result") for message in messages] == ["notifications/message", "result"]


def test_an_answer_without_messages_is_plain_json(url: str) -> None:
    assert [message["id"] for message in call(url, "test_logging_tool")] == [7]


def test_state_that_was_given_to_one_tool_is_refused_by_another(url: str) -> None:
    state = call(url, "test_input_required_result_request_state")[0]["result"]["requestState"]
    answers = {"confirm": {"action": "accept", "content": {"ok": True}}}
    given = {"requestState": state, "inputResponses": answers}
    assert "state-ok" in str(call(url, "test_input_required_result_request_state", **given))
    assert call(url, "test_input_required_result_tampered_state", **given)[0]["error"]["code"] == -32602

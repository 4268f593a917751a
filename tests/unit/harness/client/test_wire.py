import httpx
import pytest

from harness.client.errors import ProtocolError, RpcError
from harness.client.transport import events
from harness.client.wire import (
    LATEST_LEGACY,
    LATEST_MODERN,
    envelope,
    header_value,
    protocol_headers,
    read_answer,
    read_tool_outcome,
)
from harness.client.wire import Answer as RpcAnswer


def test_a_modern_request_says_the_same_in_body_and_headers() -> None:
    params = {"name": "orders_get", "arguments": {"order_id": "1"}, "_meta": {"progressToken": 7}}
    body = envelope("tools/call", params, LATEST_MODERN, 3)
    assert body == {
        "jsonrpc": "2.0",
        "id": 3,
        "method": "tools/call",
        "params": {
            "name": "orders_get",
            "arguments": {"order_id": "1"},
            "_meta": {
                "progressToken": 7,
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "quartermaster-harness", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    assert protocol_headers("tools/call", params, LATEST_MODERN) == {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "orders_get",
    }


def test_a_legacy_request_has_none_of_it() -> None:
    assert envelope("tools/list", {}, LATEST_LEGACY, 1) == {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert protocol_headers("tools/list", {}, LATEST_LEGACY) == {"MCP-Protocol-Version": LATEST_LEGACY}
    assert protocol_headers("initialize", {}, None) == {}


def test_a_resource_is_named_by_its_uri() -> None:
    assert protocol_headers("resources/read", {"uri": "file:///a"}, LATEST_MODERN)["Mcp-Name"] == "file:///a"
    assert "Mcp-Name" not in protocol_headers("tools/list", {}, LATEST_MODERN)


@pytest.mark.parametrize("text", ["orders_get", "two words", "=", "~!"])
def test_plain_header_values_stay_as_they_are(text: str) -> None:
    assert header_value(text) == text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("größe", "=?base64?Z3LDtsOfZQ==?="),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("", "=?base64??="),
        ("line\nbreak", "=?base64?bGluZQpicmVhaw==?="),
        ("=?base64?QQ==?=", "=?base64?PT9iYXNlNjQ/UVE9PT89?="),
    ],
)
def test_other_header_values_are_encoded(text: str, encoded: str) -> None:
    assert header_value(text) == encoded


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_found_however_the_bytes_are_cut(size: int) -> None:
    stream = (
        "event: message\r\ndata: é\u2028\r\n\r\n: comment\n\nid: 4\ndata:\n\ndata: a\ndata:b\n\ndata: cut off".encode()
    )
    chunks = (stream[start : start + size] for start in range(0, len(stream), size))
    assert list(events(chunks)) == ["é\u2028".encode(), b"a\nb"]


def answer(result: dict[str, object]) -> RpcAnswer:
    return RpcAnswer(result=result, http_status=200, headers=httpx.Headers({"X-Request-Id": "r1"}), seconds=0.5)


def test_a_tool_outcome_joins_the_texts_and_keeps_the_servers_request_id() -> None:
    outcome = read_tool_outcome(
        answer(
            {
                "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}],
                "structuredContent": {"error": {"code": "NOT_FOUND"}},
                "isError": True,
            }
        )
    )
    assert (outcome.text, outcome.is_error, outcome.request_id, outcome.seconds) == ("a\nb", True, "r1", 0.5)
    assert outcome.structured == {"error": {"code": "NOT_FOUND"}}


@pytest.mark.parametrize("content", [None, {"type": "text"}, ["text"]])
def test_a_result_without_a_list_of_contents_is_no_outcome(content: object) -> None:
    with pytest.raises(ProtocolError):
        read_tool_outcome(answer({"content": content}))


def test_an_error_without_an_id_still_answers_the_request() -> None:
    message = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
    with pytest.raises(RpcError, match=r"^error -32700: Parse error$"):
        read_answer(message, status=400, headers=httpx.Headers(), seconds=0.0, request_id=1)

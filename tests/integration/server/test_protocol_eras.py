import base64
from typing import Any

import pytest

from harness.client.wire import LEGACY_VERSIONS
from server.tools.registry import ALL
from tests.integration.server.bench import ERAS, error_of, modern_call

LEGACY, MODERN = ERAS


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"MCP-Protocol-Version": "2025-11-25"}, 404, -32601),  # then it is the older era, which has no discovery
        ({"Mcp-Method": None}, 400, -32020),
        ({"Mcp-Method": "tools/list"}, 400, -32020),
        ({"MCP-Protocol-Version": "2099-01-01"}, 400, -32020),
        ({"MCP-Protocol-Version": ""}, 400, -32020),
    ],
)
def test_the_headers_of_the_newest_revision_must_equal_the_body(
    changed: dict[str, str | None], status: int, code: int, post: Any
) -> None:
    body, headers = modern_call("server/discover")
    answer = post(body, **{**headers, **changed})
    assert error_of(answer)["code"] == code
    assert answer.status_code == (200 if changed.get("MCP-Protocol-Version") == LEGACY else status)


def test_a_version_that_nobody_speaks_is_refused_with_those_that_are_served(post: Any) -> None:
    discovered = post(*[modern_call("server/discover")[0]], **modern_call("server/discover")[1]).json()["result"]
    body, headers = modern_call("server/discover")
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"
    answer = post(body, **{**headers, "MCP-Protocol-Version": "2099-01-01"})
    assert answer.status_code == 400
    assert error_of(answer)["code"] == -32022
    assert error_of(answer)["data"] == {"supported": discovered["supportedVersions"], "requested": "2099-01-01"}
    assert discovered["supportedVersions"] == [MODERN]


def test_a_tool_s_name_must_stand_in_its_header(post: Any) -> None:
    body, headers = modern_call("tools/call", {"name": "stores_list", "arguments": {}})
    assert error_of(post(body, **{**headers, "Mcp-Name": None}))["code"] == -32020
    assert error_of(post(body, **{**headers, "Mcp-Name": "orders_list"}))["code"] == -32020
    wrapped = "=?base64?" + base64.b64encode(b"stores_list").decode() + "?="
    assert post(body, **{**headers, "Mcp-Name": wrapped}).json()["result"]["isError"] is False
    # White space around a value is the wire's, not the value's.
    assert post(body, **{**headers, "Mcp-Name": " stores_list  "}).json()["result"]["isError"] is False


@pytest.mark.parametrize("method", ["ping", "initialize", "logging/setLevel", "resources/subscribe", "no/such", "rpc"])
def test_methods_that_the_newest_revision_lacks_are_not_found(method: str, post: Any) -> None:
    body, headers = modern_call(method)
    answer = post(body, **headers)
    assert answer.status_code == 404
    assert error_of(answer)["code"] == -32601


def test_results_of_the_newest_revision_say_what_they_are_and_how_long_they_hold(post: Any) -> None:
    for method in ("server/discover", "tools/list", "prompts/list", "resources/list", "resources/templates/list"):
        result = post(modern_call(method)[0], **modern_call(method)[1]).json()["result"]
        assert result["resultType"] == "complete"
        assert result["ttlMs"] > 0
        assert result["cacheScope"] == "private"
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "quartermaster"
    result = post(
        *[modern_call("tools/call", {"name": "stores_list"})[0]],
        **modern_call("tools/call", {"name": "stores_list"})[1],
    )
    assert "ttlMs" not in result.json()["result"]
    assert result.json()["result"]["resultType"] == "complete"


@pytest.mark.parametrize("version", [None, *LEGACY_VERSIONS])
def test_the_older_revisions_need_no_envelope_and_answer_errors_in_a_200(version: str | None, post: Any) -> None:
    headers = {"MCP-Protocol-Version": version}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert post(ping, **headers).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    unknown = post({**ping, "method": "no/such"}, **headers)
    assert (unknown.status_code, error_of(unknown)["code"]) == (200, -32601)
    listed = post({**ping, "method": "tools/list"}, **headers).json()["result"]
    assert len(listed["tools"]) == len(ALL)
    assert "resultType" not in listed
    note = post({"jsonrpc": "2.0", "method": "notifications/initialized"}, **headers)
    assert (note.status_code, note.content) == (202, b"")


def test_messages_in_an_array_are_answered_in_the_revision_that_had_them(post: Any) -> None:
    def ping(number: int) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": number, "method": "ping"}

    batch = [ping(1), {"jsonrpc": "2.0", "method": "notifications/x"}, {"jsonrpc": "1.0", "id": 2}, ping(3)]
    answer = post(batch, **{"MCP-Protocol-Version": "2025-03-26"})
    assert answer.status_code == 200
    assert [(item["id"], "result" in item) for item in answer.json()] == [(1, True), (2, False), (3, True)]
    notes = [{"jsonrpc": "2.0", "method": "notifications/x"}]
    assert post(notes, **{"MCP-Protocol-Version": "2025-03-26"}).status_code == 202
    for body, version in (([], "2025-03-26"), ([ping(1)] * 21, "2025-03-26"), ([ping(1)], LEGACY), ([ping(1)], MODERN)):
        assert error_of(post(body, **{"MCP-Protocol-Version": version}))["code"] == -32600

import base64
from typing import Any

import pytest
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from server.protocol.messages import Message, ProtocolError
from server.protocol.modern import decode_header, envelope

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
META = {f"{PREFIX}protocolVersion": VERSION, f"{PREFIX}clientCapabilities": {}, f"{PREFIX}clientInfo": {"name": "x"}}
HEADERS = {"mcp-protocol-version": VERSION, "mcp-method": "tools/call", "mcp-name": "stores_list"}


def opened(
    headers: dict[str, str | None] | None = None,
    meta: dict[str, Any] | None = None,
    *,
    method: str = "tools/call",
    params: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The envelope of a call that is right but for what is given; None leaves a header or a member out."""
    sent = {**HEADERS, **(headers or {})}
    encoded = {name.encode(): value.encode("latin-1") for name, value in sent.items() if value is not None}
    whole_meta = {key: value for key, value in {**META, **(meta or {})}.items() if value is not None}
    message = Message(1, method, {"name": "stores_list", "_meta": whole_meta, **(params or {})})
    return envelope(message, encoded)


def code_of(**given: Any) -> int:
    with pytest.raises(ProtocolError) as refused:
        opened(**given)
    return refused.value.code


def test_headers_that_repeat_the_body_are_accepted() -> None:
    meta, capabilities, version = opened()
    assert meta == META
    assert capabilities == {}
    assert version == VERSION


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp-protocol-version": "2025-11-25"},
        {"mcp-protocol-version": "2099-01-01"},
        {"mcp-method": None},
        {"mcp-method": "tools/list"},
        {"mcp-method": "TOOLS/CALL"},
        {"mcp-name": None},
        {"mcp-name": ""},
        {"mcp-name": "orders_list"},
        {"mcp-name": "Stores_List"},
    ],
)
def test_a_header_that_is_missing_or_says_something_else_is_a_mismatch(headers: dict[str, str | None]) -> None:
    assert code_of(headers=headers) == HEADER_MISMATCH == -32020


def test_an_unknown_version_is_refused_with_those_that_are_served() -> None:
    with pytest.raises(ProtocolError) as refused:
        opened({"mcp-protocol-version": "2099-01-01"}, {f"{PREFIX}protocolVersion": "2099-01-01"})
    assert refused.value.code == UNSUPPORTED_PROTOCOL_VERSION == -32022
    assert refused.value.status == 400
    assert refused.value.data == {"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": "2099-01-01"}


@pytest.mark.parametrize("member", ["protocolVersion", "clientCapabilities"])
def test_a_meta_without_a_required_member_is_refused(member: str) -> None:
    assert code_of(meta={PREFIX + member: None}) == INVALID_PARAMS


@pytest.mark.parametrize("meta", [None, [], "x", 5])
def test_a_meta_that_is_no_object_is_refused(meta: Any) -> None:
    assert code_of(params={"_meta": meta}) == INVALID_PARAMS


@pytest.mark.parametrize("capabilities", [[], "x", 5, True])
def test_capabilities_that_are_no_object_are_refused(capabilities: Any) -> None:
    assert code_of(meta={f"{PREFIX}clientCapabilities": capabilities}) == INVALID_PARAMS


@pytest.mark.parametrize("version", [[], {}, 5, True])
def test_a_version_in_the_body_that_is_no_text_is_a_mismatch(version: Any) -> None:
    assert code_of(meta={f"{PREFIX}protocolVersion": version}) == HEADER_MISMATCH


@pytest.mark.parametrize(("method", "member"), [("prompts/get", "name"), ("resources/read", "uri")])
def test_prompts_and_resources_are_named_in_the_header_too(method: str, member: str) -> None:
    headers: dict[str, str | None] = {"mcp-method": method, "mcp-name": "a-thing"}
    assert opened(headers, method=method, params={"name": None, member: "a-thing"})[2] == VERSION
    assert code_of(headers=headers, method=method, params={"name": None, member: "b-thing"}) == HEADER_MISMATCH


def test_a_method_without_a_name_needs_no_name_header() -> None:
    assert opened({"mcp-method": "tools/list", "mcp-name": None}, method="tools/list")[2] == VERSION


def sentinel(text: str) -> str:
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


@pytest.mark.parametrize("name", ["stores_list", "größe", " padded ", "=?base64?x?=", "line\nbreak", ""])
def test_a_name_may_travel_in_base64(name: str) -> None:
    assert decode_header(sentinel(name)) == name


@pytest.mark.parametrize(
    "value", ["stores_list", "=?base64?", "?=", "=?BASE64?eA==?=", "=?utf8?x?=", "x=?base64?eA==?="]
)
def test_a_value_without_the_wrapping_is_itself(value: str) -> None:
    assert decode_header(value) == value


@pytest.mark.parametrize("payload", ["eA", "eA=", "e A==", "!!!!", "/w==", "eB==", "eA==eA=="])
def test_a_broken_or_second_spelling_is_no_name(payload: str) -> None:
    assert decode_header(f"=?base64?{payload}?=") is None
    assert code_of(headers={"mcp-name": f"=?base64?{payload}?="}) == HEADER_MISMATCH


def test_a_missing_header_is_no_name() -> None:
    assert decode_header(None) is None

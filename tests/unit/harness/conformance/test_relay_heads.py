"""The relay changes of a request's head what it must, and nothing else."""

from urllib.parse import urlsplit

import pytest

from harness.conformance.job import is_harmless
from harness.conformance.relay import Names

NAMES = Names(b"127.0.0.1:4000", urlsplit("https://mcp.example.com/mcp"), "s3cret")


def test_the_token_is_added_and_odd_headers_stay_as_they_are() -> None:
    head = b"POST /mcp HTTP/1.1\r\nMCP-METHOD:  tools/list \r\nX-a: 1\r\nX-a: 2\r\nConnection: keep-alive, x\r\n\r\n"
    assert NAMES.rewrite(head) == head.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n")


def test_the_relays_own_name_becomes_the_servers() -> None:
    head = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:4000\r\nOrigin: http://127.0.0.1:4000\r\n\r\n"
    rewritten = NAMES.rewrite(head)
    assert b"\r\nhost: mcp.example.com\r\n" in rewritten
    assert b"\r\nOrigin: https://mcp.example.com\r\n" in rewritten


def test_a_foreign_host_and_origin_reach_the_server() -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: evil.example.com\r\nOrigin: http://evil.example.com\r\n\r\n"
    assert NAMES.rewrite(head).replace(b"Authorization: Bearer s3cret\r\n", b"") == head


@pytest.mark.parametrize("token", [None, "s3cret"])
def test_nothing_is_added_without_a_token_or_where_there_is_one(token: str | None) -> None:
    head = b"POST /mcp HTTP/1.1\r\n" + (b"authorization: Bearer other\r\n" if token else b"X: y\r\n") + b"\r\n"
    assert Names(b"127.0.0.1:4000", urlsplit("http://127.0.0.1:8080/mcp"), token).rewrite(head) == head


def test_the_token_is_not_shown() -> None:
    assert "s3cret" not in repr(NAMES)


@pytest.mark.parametrize(
    ("tool", "harmless"),
    [
        ({"name": "wipe", "inputSchema": {"type": "object"}}, False),
        ({"name": "wipe"}, False),
        ({"name": "list", "annotations": {"readOnlyHint": True}}, True),
        ({"name": "get", "inputSchema": {"type": "object", "required": ["order_id"]}}, True),
    ],
)
def test_a_call_without_arguments_is_harmless_to_tools_that_read_or_refuse_it(
    tool: dict[str, object], *, harmless: bool
) -> None:
    assert is_harmless(tool) is harmless

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.edge.guards import HostGuard
from server.json_text import too_deep
from tests.unit.server.parts import seeded

STRINGS = st.text(st.sampled_from('[]{}"\\/ aü\n'), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(STRINGS, inner, max_size=4),
    max_leaves=30,
)
FRAGMENTS = st.lists(st.sampled_from([b"[", b"{", b"]", b"}", b'"', b"\\", b'\\"', b"a", b",", b"\n", b"\xff"]))


def depth(value: Any) -> int:
    """How deep a decoded document nests; a scalar nests 0 deep."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


def reference(body: bytes, limit: int) -> bool:
    """The same question asked byte by byte."""
    level, quoted, escaped = 0, False, False
    for byte in body:
        character = bytes([byte])
        if escaped:
            escaped = False
        elif quoted:
            quoted, escaped = character != b'"', character == b"\\"
        elif character == b'"':
            quoted = True
        elif character in b"[{":
            level += 1
            if level > limit:
                return True
        elif character in b"]}":
            level -= 1
    return False


@seeded
@given(document=JSON, limit=st.integers(1, 6))
def test_the_depth_of_a_document_is_that_of_the_decoded_one(document: Any, limit: int) -> None:
    for ascii_only in (True, False):
        body = json.dumps(document, ensure_ascii=ascii_only).encode()
        assert too_deep(body, limit) is (depth(document) > limit)


@seeded
@given(fragments=FRAGMENTS, limit=st.integers(1, 4))
def test_bytes_that_are_no_document_are_judged_as_byte_by_byte(fragments: list[bytes], limit: int) -> None:
    body = b"".join(fragments)
    if b"\\" in body and b'"' not in body:
        return  # outside strings a backslash means nothing, and no document has one there
    assert too_deep(body, limit) is reference(body, limit)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"' + b'\\"' * 400_000, id="escaped quotes"),
        pytest.param(b'["' + b"\\" * 800_000, id="backslashes"),
        pytest.param(b"[]" * 400_000, id="brackets"),
        pytest.param(b'"[' * 400_000, id="brackets in strings"),
        pytest.param(b"[" * 800_000, id="depth"),
    ],
)
@pytest.mark.timeout(5)
def test_no_body_of_a_megabyte_is_slow(body: bytes) -> None:
    too_deep(body, 64)


GUARD = HostGuard(["localhost", "127.0.0.1", "[::1]", "MCP.example.com"], ["https://app.example.org", "null"])


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:1", "[::1]", "[::1]:8080", "mcp.example.com"]
)
def test_a_listed_host_is_answered_on_any_port(host: str) -> None:
    assert GUARD.host_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        ":8080",
        "evil.example",
        "evil.example:localhost",
        "localhost.evil.example",
        "evil-localhost",
        "[::1",
        "[::2]",
        "::1",
        "127.0.0.1.evil.example",
        "example.com",
    ],
)
def test_any_other_host_is_refused(host: str | None) -> None:
    assert not GUARD.host_allowed(host)


@pytest.mark.parametrize("host", ["localhost:x@evil.example", "[::1]evil.example"])
def test_what_is_no_host_and_port_is_refused(host: str) -> None:
    assert not GUARD.host_allowed(host)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "https://app.example.org",
        "HTTPS://APP.EXAMPLE.ORG",
        "http://localhost",
        "http://localhost:3000",
        "https://mcp.example.com",
        "http://[::1]:3000",
    ],
)
def test_no_origin_a_listed_one_and_one_of_this_host_may_call(origin: str | None) -> None:
    assert GUARD.origin_allowed(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org.evil.example",
        "https://app.example.org:444",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://localhost:x@evil.example",
        "file://localhost",
        "http://[::1",
        "localhost",
        "ftp://localhost",
        "http://",
    ],
)
def test_any_other_origin_is_refused(origin: str) -> None:
    assert not GUARD.origin_allowed(origin)


@seeded
@given(st.text(max_size=60))
def test_no_text_in_a_host_or_origin_raises(text: str) -> None:
    GUARD.host_allowed(text)
    GUARD.origin_allowed(text)
    GUARD.origin_allowed("http://" + text)

"""Input of every degree of wrongness: from valid arguments made out of a tool's own schema down to random bytes."""

import json
import string
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from harness.client.wire import LEGACY_VERSIONS, envelope, protocol_headers

Strategy = st.SearchStrategy[Any]
Headers = list[tuple[str, bytes]]
Request = tuple[str, str, Headers, bytes]

NASTY = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\x1c",
        "\u202e",
        "\ud800",
        "²",
        "../../etc/passwd",
        "' OR 1=1 --",
        "%s%n",
        "{{7*7}}",
        "null",
        "9" * 400,
        "x" * 5_000,
        "=?base64?!?=",
        "__proto__",
    ]
)
TEXTS = st.text(max_size=12) | NASTY
NUMBERS = (
    st.integers(-5, 5) | st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 2**64, 1e308, 10**400])
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
JSON: Strategy = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
METHODS = [
    *("initialize", "ping", "server/discover", "tools/list", "tools/call", "prompts/list", "prompts/get"),
    *("resources/list", "resources/templates/list", "resources/read", "resources/subscribe", "logging/setLevel"),
    *("notifications/initialized", "notifications/cancelled", "completion/complete", "tasks/get", "no/such"),
]
VERSIONS = [*LEGACY_VERSIONS, "2026-07-28", "2099-01-01"]


def from_schema(schema: Mapping[str, Any]) -> Strategy:  # noqa: PLR0911 - a table of kinds
    """Values that a JSON schema of ours allows."""
    if "anyOf" in schema:
        return st.one_of(*(from_schema(part) for part in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "string" and "pattern" in schema:
        return st.from_regex(schema["pattern"].rstrip("$") + r"\Z", fullmatch=True)
    if kind == "string":
        low, high = schema.get("minLength", 0), schema.get("maxLength", 30)
        return st.text(min_size=low, max_size=min(high, low + 12))
    if kind == "integer":
        return st.integers(schema.get("minimum", 0), schema.get("maximum", 1_000))
    if kind == "boolean":
        return st.booleans()
    return st.none() if kind == "null" else st.dictionaries(TEXTS, JSON, max_size=3)


@st.composite
def arguments_of(draw: st.DrawFn, tool: Mapping[str, Any], known: Mapping[str, Strategy]) -> dict[str, Any]:
    """Valid arguments of a tool; `known` are values worth trying by argument, so that calls find something."""
    schema = tool["inputSchema"]
    required = sorted(schema.get("required", ()))
    optional = [name for name in sorted(schema.get("properties", {})) if name not in required]
    # Of many filters together nothing is left: a few at a time. Which store a call is about decides whose rate limit
    # it uses: it is nearly always said.
    chosen = draw(st.lists(st.sampled_from(optional), max_size=3, unique=True)) if optional else []
    if "store_identifier" in optional and often(draw):
        chosen = [*(name for name in chosen if name != "store_identifier"), "store_identifier"]
    return {
        name: draw(known[name] if name in known and often(draw) else from_schema(schema["properties"][name]))
        for name in [*required, *chosen]
    }


def often(draw: st.DrawFn) -> bool:
    """True in seven cases of eight."""
    return draw(st.integers(0, 7)) > 0


def spoiled(values: Strategy) -> Strategy:
    """A document with one member somewhere dropped, renamed, added, or replaced by anything."""

    @st.composite
    def spoil(draw: st.DrawFn) -> Any:
        document = json.loads(json.dumps(draw(values)))
        place = document
        while isinstance(place, dict) and place:
            name = draw(st.sampled_from(sorted(place)))
            if isinstance(place[name], dict) and place[name] and draw(st.booleans()):
                place = place[name]
                continue
            match draw(st.sampled_from(["drop", "replace", "rename", "add"])):
                case "drop":
                    del place[name]
                case "replace":
                    place[name] = draw(JSON)
                case "rename":
                    place[draw(TEXTS)] = place.pop(name)
                case _:
                    place[draw(TEXTS)] = draw(JSON)
            return document
        return draw(JSON)

    return spoil()


def headers_for(method: str, params: Mapping[str, Any], version: str | None) -> Headers:
    """The headers that a right request has."""
    return [(name, value.encode("latin-1")) for name, value in protocol_headers(method, params, version).items()]


def envelopes() -> st.SearchStrategy[tuple[Any, Headers]]:
    """Messages of both eras with right or wrong headers, most of them spoiled, some of them in arrays."""

    @st.composite
    def build(draw: st.DrawFn) -> tuple[Any, Headers]:
        version = draw(st.sampled_from([None, *VERSIONS]))
        method = draw(st.sampled_from(METHODS))
        params: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {},
                    {"name": "stores_list", "arguments": {}},
                    {"name": "no_such_tool"},
                    {"uri": "file:///x", "name": "x"},
                    {"cursor": "x"},
                    {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
                ]
            )
        )
        body: Any = envelope(method, params, version, draw(st.sampled_from([1, 2**31, None])))
        if draw(st.integers(0, 3)):
            body = draw(spoiled(st.just(body)))
        if not draw(st.integers(0, 7)):
            body = [body] * draw(st.sampled_from([0, 1, 2, 25]))
        headers = headers_for(method, params, version)
        if headers and not draw(st.integers(0, 2)):
            place = draw(st.integers(0, len(headers) - 1))
            headers[place] = (headers[place][0], draw(header_values()))
        return body, headers

    return build()


def bodies(sample: bytes) -> st.SearchStrategy[bytes]:
    """Bytes that are hardly a message any more; `sample` is one that is."""
    cut = st.integers(0, len(sample)).map(lambda end: sample[:end])
    stuffed = st.builds(
        lambda at, more: sample[:at] + more + sample[at:],
        st.integers(0, len(sample)),
        st.binary(min_size=1, max_size=4),
    )
    deep = st.builds(
        lambda opening, depth: opening * depth, st.sampled_from([b"[", b'{"a":', b"[[{", b'["']), st.integers(1, 5_000)
    )
    odd = st.sampled_from(
        [
            b"",
            b"\xef\xbb\xbf" + sample,
            b"NaN",
            b"1e400",
            b'"\\ud800"',
            b"[" * 60 + b"]" * 60,
            b'{"id":1,"id":2,"jsonrpc":"2.0","method":"ping"}',
            b'{"jsonrpc":"2.0","id":' + b"9" * 400 + b',"method":"ping"}',
            sample * 3,
            b"\x00" * 1_000,
            b'"' + b"x" * 2_000_000 + b'"',
        ]
    )
    return st.binary(max_size=200) | cut | stuffed | deep | odd | JSON.map(lambda value: json.dumps(value).encode())


def header_values() -> st.SearchStrategy[bytes]:
    """What may stand in a header, and what may not."""
    return (
        st.sampled_from([value.encode() for value in [*VERSIONS, *METHODS]])
        | st.binary(max_size=30).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
        | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30).map(
            lambda text: text.encode("latin-1")
        )
        | st.sampled_from(
            [b"", b" ", b"\t", b"x" * 9_000, b"a, b", b'"', b"\xff", b"=?base64?/w==?=", b"=?base64?eA==?="]
        )
    )


def header_sets(usual: Sequence[tuple[str, bytes]]) -> st.SearchStrategy[tuple[str, str, Headers]]:
    """A method, a path, and the usual headers with some replaced, repeated or added."""
    names = st.sampled_from(
        [
            *("Host", "Origin", "Content-Type", "Accept", "Authorization", "MCP-Protocol-Version", "Mcp-Method"),
            *("Mcp-Name", "X-Request-ID", "Cookie", "Accept-Encoding", "Content-Encoding", "Range", "If-None-Match"),
            *("Mcp-Session-Id", "Last-Event-ID", "X-Forwarded-For", "Forwarded", "Upgrade", "Connection", "TE"),
            "Content-Length",
        ]
    )
    lengths = st.sampled_from([b"abc", b"-1", b"+5", b"0x10", b"1e3", b"18446744073709551616", b"9" * 30, b"5000000"])
    # A wrong length is refused before anything else is looked at: few of those.
    extra = names.flatmap(
        lambda name: st.tuples(st.just(name), lengths if name == "Content-Length" else header_values())
    )
    paths = st.sampled_from(
        [
            *("/mcp", "/mcp", "/mcp", "/mcp?token=x", "/mcp?token=%ff&token", "/health", "/health/ready", "/metrics"),
            *("/", "/%00", "/%ff", "//mcp", "/mcp/../health", "/mcp;x", "/?%zz", "*", "/health?" + "x" * 5_000),
        ]
    )

    @st.composite
    def build(draw: st.DrawFn) -> tuple[str, str, Headers]:
        method = draw(st.sampled_from(["POST", "POST", "POST", "GET", "DELETE", "PUT", "OPTIONS", "PATCH", "PURGE"]))
        headers = list(usual)
        for name, value in draw(st.lists(extra, max_size=4)):
            others = [each for each in headers if each[0].lower() != name.lower()]
            headers = [*(headers if draw(st.booleans()) else others), (name, value)]
        return method, draw(paths), headers

    return build()


def one_fault(usual: Headers, sample: bytes) -> dict[int, st.SearchStrategy[Request]]:
    """Methods, paths, headers and bodies of which one thing alone is wrong, by the status that it must get.

    With 200 and 202 nothing is.
    """
    words = st.text(string.ascii_lowercase, min_size=1, max_size=12)

    def request(method: str = "POST", path: str = "/mcp", body: bytes = sample, **replaced: str) -> Request:
        headers = [each for each in usual if each[0] not in replaced]
        return method, path, headers + [(name, value.encode()) for name, value in replaced.items()], body

    def message(**fields: Any) -> bytes:
        return json.dumps({"jsonrpc": "2.0", **fields}).encode()

    return {
        200: st.integers(0, 2**31).map(lambda number: request(body=message(id=number, method="tools/list"))),
        202: words.map(lambda word: request(body=message(method=f"notifications/{word}"))),
        400: words.map(lambda word: request(body=word.encode())),
        401: words.map(lambda word: request(Authorization=f"Bearer {word}")),
        403: words.map(lambda word: request(Origin=f"https://{word}.example")),
        404: words.map(lambda word: request("GET", f"/no/{word}")),
        405: st.sampled_from(["GET", "DELETE"]).map(request),
        421: words.map(lambda word: request(Host=f"{word}.example")),
    }

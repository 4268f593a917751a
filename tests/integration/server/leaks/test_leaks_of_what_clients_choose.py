"""Every piece where a client may write what it likes: headers, addresses, names, ids, whole bodies, deliveries."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from server.edge.layer import REQUEST_ID
from tests.integration.server.leaks.corpus import Piece, corpus
from tests.integration.server.leaks.places import Place
from tests.integration.server.leaks.tracing import Tracer
from tests.integration.server.leaks.watched import Watch, Watched
from tests.integration.server.test_webhook import deliver, sign

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stores_list", "arguments": {}}}
HEADERS = (
    *("X-Request-ID", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id", "User-Agent", "Cookie"),
    *("Referer", "From", "Origin", "Authorization", "Host", "Accept", "Content-Type", "traceparent", "baggage"),
    *("sentry-trace", "X-Forwarded-For", "Forwarded", "Last-Event-ID"),
)
Body = Callable[[str], Any]
BODIES: Mapping[str, Body] = {
    "a method": lambda text: {**CALL, "method": text},
    "an id": lambda text: {**CALL, "id": text},
    "a tool": lambda text: {**CALL, "params": {"name": text, "arguments": {text: text}}},
    "an argument": lambda text: {**CALL, "params": {"name": "orders_get", "arguments": {text: text, "order_id": text}}},
    "a member": lambda text: {**CALL, text: text},
    "parameters": lambda text: {**CALL, "params": text},
    "a resource": lambda text: {**CALL, "method": "resources/read", "params": {"uri": f"order://{text}"}},
    "a prompt": lambda text: {**CALL, "method": "prompts/get", "params": {"name": text}},
    "a cursor": lambda text: {**CALL, "method": "tools/list", "params": {"cursor": text}},
    "a client": lambda text: {
        **CALL,
        "method": "initialize",
        "params": {
            "protocolVersion": text,
            "capabilities": {text: {}},
            "clientInfo": {"name": text, "version": text},
        },
    },
    "the metadata": lambda text: {
        **CALL,
        "params": {
            **CALL["params"],  # type: ignore[dict-item]
            "_meta": {
                "progressToken": text,
                "io.modelcontextprotocol/clientInfo": {"name": text, "version": text},
                "io.modelcontextprotocol/protocolVersion": text,
                text: text,
            },
        },
    },
    "a text": lambda text: text,
    "a batch": lambda text: [{**CALL, "id": text}],
    "half a body": lambda text: json.dumps({**CALL, "params": text})[:-3].encode(),
}


@pytest.fixture
def watched(watch: Watch) -> Watched:
    """A server that is asked with every piece of the corpus, whosever hand it is in."""
    server = watch()
    return replace(server, tracer=Tracer([*corpus(), *(piece for party in server.parties for piece in party.own)]))


@pytest.fixture
def http(watched: Watched) -> Iterator[httpx.Client]:
    """A client of a tenant that has nothing, so that whatever it is told of the corpus is wrong."""
    key = watched.bench.new_tenant("nobody").key
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with httpx.Client(base_url=watched.bench.base_url, headers=headers, trust_env=False, timeout=15) as http:
        yield http


@pytest.mark.timeout(180)
def test_no_header_and_no_address_is_kept_or_told(watched: Watched, http: httpx.Client) -> None:
    said, sent = Counter[int](), Counter[str]()

    def ask(place: str, method: str, path: str, **more: Any) -> None:
        answer = http.request(method, path, **more)
        said[answer.status_code] += 1
        sent[place] += 1
        assert watched.tracer.trace({place: f"{dict(answer.headers)} {answer.text}"}) == []

    for number, piece in enumerate(corpus()):
        query = {"token": piece.text, "email": piece.text}
        # Each piece in a quarter of the headers, so that each header has had a hundred pieces of all kinds.
        for name in HEADERS[number % 4 :: 4]:
            if name != "X-Request-ID" or not REQUEST_ID.match(piece.text):  # what looks like an id is taken for one
                value = f"Bearer {piece.text}" if name == "Authorization" else piece.text
                ask(name, "POST", "/mcp", params=query, json=CALL, headers={**http.headers, name: value.encode()})
        path = ("/mcp", "/health", f"/{quote(piece.text, safe='')}", "/webhooks/orderdesk", "/metrics")[number % 5]
        ask("an address", "GET", path, params=query)
    assert watched.leaks() == []
    assert set(said) >= {200, 400, 401, 403, 404, 405, 421}
    assert {name for name, times in sent.items() if times > 20} == {*HEADERS, "an address"}


@pytest.mark.timeout(180)
def test_no_name_and_no_body_is_kept_or_told_to_another(watched: Watched, http: httpx.Client) -> None:
    said = Counter[int]()
    for piece, (name, make) in cases():
        body = make(piece.text)
        answer = http.post("/mcp", content=body if isinstance(body, bytes) else json.dumps(body).encode())
        said[answer.status_code] += 1
        told = watched.tracer.trace({name: f"{dict(answer.headers)} {answer.text}"})
        assert {each.piece for each in told} <= {piece}, name  # its own words, to itself alone
    assert watched.leaks() == []
    assert {line["rpc_method"] for line in watched.bench.events("http.request")} >= {"unknown", "tools/call"}
    assert set(said) >= {200, 400}


def cases() -> Iterator[tuple[Piece, tuple[str, Body]]]:
    """Each piece in a quarter of the bodies."""
    for number, piece in enumerate(corpus()):
        for each in list(BODIES.items())[number % 4 :: 4]:
            yield piece, each


def test_a_delivery_leaves_nothing_of_the_order_that_it_brings(watched: Watched) -> None:
    scene, bench = watched.owner, watched.bench
    account, sent, answers = scene.shop.account, scene.sent, []
    for _ in range(8):
        order = json.dumps(scene.look(scene.order()))
        answers += [
            deliver(bench, account, order),
            deliver(bench, account, order, multipart=True),
            deliver(bench, account, order, X_Order_Desk_Hash=sent.draw("signature")),
            deliver(bench, account, order, X_Order_Desk_Hash=sent.draw("e-mail")),
            deliver(bench, account, order, X_Order_Desk_Store_Id=sent.draw("e-mail")),
            deliver(bench, account, order[:-9], X_Order_Desk_Hash=sign(order[:-9], account.api_key)),
            deliver(bench, account, f'"{order}"'),
            deliver(bench, account, order, Host=f"{sent.draw('e-mail').partition('@')[2]}"),
        ]
    text = "\n".join(f"{dict(answer.headers)} {answer.text}" for answer in answers)
    assert watched.leaks({"the answers": Place(text, "duplicate")}) == []
    assert set(Counter(answer.status_code for answer in answers)) >= {200, 400, 401, 421}

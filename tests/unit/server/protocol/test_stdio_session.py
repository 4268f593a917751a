import json
from typing import Any

import pytest

from server.protocol.exchange import Notes
from server.protocol.messages import ProtocolError
from server.protocol.stdio import Session
from tests.unit.server.protocol.smallest import Keys, Smallest, call, modern, request

MAX_BYTES, MAX_DEPTH = 1000, 8


def session(key: str | None = "acme-key", keys: Keys | None = None) -> Session:
    authenticate = (keys or Keys()).authenticate
    return Session(Smallest().dispatcher, authenticate, key, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)


async def ask(of: Session, item: object, notes: Notes | None = None) -> Any:
    """The decoded answer."""
    answer = await of.answer(item, "r1", notes or Notes())
    return None if answer is None else json.loads(answer)


async def test_each_message_says_itself_of_which_era_it_is() -> None:
    one = session()
    assert not (await ask(one, request("who")))["result"]["modern"]
    assert (await ask(one, modern("who")))["result"]["modern"]
    assert not (await ask(one, request("who")))["result"]["modern"]
    assert (await ask(one, modern("server/discover")))["result"]["supportedVersions"] == ["2026-07-28"]


async def test_arrays_are_of_the_older_era_alone() -> None:
    assert [answer["id"] for answer in await ask(session(), [request("who", 1), request("ping", 2)])] == [1, 2]
    assert (await ask(session(), [request("who"), modern("who")]))["error"]["code"] == -32600


@pytest.mark.parametrize("make", [request, modern])
async def test_a_process_without_a_key_can_look_around_and_nothing_else(make: Any) -> None:
    one = session(None)
    for method in ("initialize", "ping", "server/discover", "tools/list", "who", "tools/call"):
        answer = await ask(one, make(method, name="x", protocolVersion="2025-11-25"))
        refused = answer.get("error", {}).get("data") == {"code": "AUTH_ERROR"}
        assert refused == (method in {"who", "tools/call"}), answer
    answers = await ask(one, [request("ping", 1), call("x", 2)])
    assert answers["error"]["data"] == {"code": "AUTH_ERROR"}


async def test_what_is_malformed_is_told_so_with_or_without_a_key() -> None:
    for key in (None, "acme-key"):
        for item in ("text", 5, {"id": 1}, {"jsonrpc": "2.0", "id": 1, "method": []}):
            assert (await ask(session(key), item))["error"]["code"] == -32600
        assert await ask(session(key), {"jsonrpc": "2.0", "id": 1, "result": {}}) is None


async def test_showing_a_valid_key_authenticates_the_process_from_then_on() -> None:
    one = session(None)
    assert (await ask(one, call("tenant_use_master_key", master_key="acme-key")))["result"]["tenant"] == "t_acme"
    assert (await ask(one, call("anything")))["result"]["tenant"] == "t_acme"


@pytest.mark.parametrize("arguments", [{"master_key": "wrong"}, {"master_key": 5}, {}])
async def test_a_wrong_key_authenticates_nobody(arguments: dict[str, Any]) -> None:
    one, notes = session(None), Notes()
    assert (await ask(one, call("tenant_use_master_key", **arguments), notes))["error"]["code"] == -32001
    assert notes.error_code == "AUTH_ERROR"
    assert (await ask(one, call("anything")))["error"]["data"] == {"code": "AUTH_ERROR"}


async def test_an_authenticated_process_never_becomes_another_tenant() -> None:
    one = session()
    notes = Notes()
    shown = await ask(one, call("tenant_use_master_key", master_key="other-key"), notes)
    assert (shown["result"]["tenant"], notes.error_code) == ("t_acme", "AUTH_ERROR")
    assert (await ask(one, call("anything")))["result"]["tenant"] == "t_acme"


async def test_the_key_is_checked_at_every_message_and_another_of_the_tenant_may_take_its_place() -> None:
    keys = Keys()
    one = session(keys=keys)
    keys.revoked.add("acme-key")
    assert (await ask(one, call("anything")))["error"]["code"] == -32001
    assert (await ask(one, call("tenant_use_master_key", master_key="acme-key")))["error"]["code"] == -32001
    assert (await ask(one, call("tenant_use_master_key", master_key="acme-second")))["result"]["tenant"] == "t_acme"
    assert (await ask(one, call("anything")))["result"]["tenant"] == "t_acme"


async def test_a_key_that_replaces_a_valid_one_is_the_one_that_counts() -> None:
    keys = Keys()
    one = session(keys=keys)
    await ask(one, call("tenant_use_master_key", master_key="acme-second"))
    keys.revoked.add("acme-key")
    assert (await ask(one, call("anything")))["result"]["tenant"] == "t_acme"


async def test_a_suspended_tenant_is_told_so_and_served_again_when_the_brake_is_let_go() -> None:
    keys = Keys()
    one = session(keys=keys)
    keys.suspended.add("t_acme")
    error = (await ask(one, call("anything")))["error"]
    assert error["message"] == "This tenant is suspended by the operator."
    assert error["data"] == {"code": "AUTH_ERROR"}
    shown = await ask(session(None, keys), call("tenant_use_master_key", master_key="acme-key"))
    assert shown["error"]["message"] == "This tenant is suspended by the operator."
    keys.suspended.clear()
    assert (await ask(one, call("anything")))["result"]["tenant"] == "t_acme"


@pytest.mark.parametrize(
    ("line", "code"),
    [(None, -32600), (b"[" * 9 + b"]" * 9, -32600), (b"{", -32700), (b"\xff", -32700), (b"{} {}", -32700)],
)
def test_a_line_that_cannot_be_read_is_an_error(line: bytes | None, code: int) -> None:
    with pytest.raises(ProtocolError) as refused:
        session().read(line)
    assert refused.value.code == code


def test_a_line_may_end_in_a_carriage_return() -> None:
    assert session().read(b'{"a": 1}\r') == {"a": 1}

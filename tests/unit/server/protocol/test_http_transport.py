import json
from typing import Any

import pytest

from server.protocol.dispatch import RATE_LIMITED
from server.protocol.http import Reply, Request
from server.protocol.transport import Transport
from tests.unit.server.protocol.smallest import Keys, Smallest, call, modern, notification, request

ADDRESS = "192.0.2.1"
HEADERS = {b"content-type": b"application/json", b"authorization": b"Bearer acme-key"}


async def send(
    item: Any, *, smallest: Smallest | None = None, keys: Keys | None = None, method: str = "POST", **headers: str
) -> tuple[Request, Reply]:
    """Post an item; the request holds what was noted."""
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    body = item if isinstance(item, bytes) else json.dumps(item).encode()
    asked = Request(method, {**HEADERS, **given}, b"", body, "r1", ADDRESS)
    transport = Transport((smallest or Smallest()).dispatcher, (keys or Keys()).authenticate)
    return asked, await transport.handle(asked)


def header(reply: Reply, name: bytes) -> bytes | None:
    return dict(reply.headers).get(name)


async def test_only_json_that_is_posted_is_answered() -> None:
    _, reply = await send(b"", method="GET")
    assert (reply.status, header(reply, b"allow")) == (405, b"POST")
    assert (await send(request("who"), content_type="text/plain"))[1].status == 415
    assert (await send(b"{"))[1].status == 400
    assert (await send(request("who"), content_type="application/json; charset=utf-8"))[1].status == 200


async def test_without_a_valid_key_nothing_is_answered_and_the_challenge_says_how() -> None:
    asked, reply = await send(request("ping"), authorization="Bearer nobody")
    assert reply.status == 401
    assert header(reply, b"www-authenticate") == b'Bearer realm="quartermaster"'
    assert json.loads(reply.body)["error"]["data"] == {"code": "AUTH_ERROR"}
    assert asked.notes.error_code == "AUTH_ERROR"


async def test_blanks_around_a_key_are_http_s_and_nothing_else_is_taken_off_it() -> None:
    assert (await send(request("ping"), authorization="bearer   acme-key \t"))[1].status == 200
    for wrong in ("Bearer acme-key\x1f", "Bearer \x1cacme-key", "Bearer acme-key\x85", "Bearer acme-key\xa0"):
        headers = {**HEADERS, b"authorization": wrong.encode("latin-1")}
        reply = await Transport(Smallest().dispatcher, Keys().authenticate).handle(
            Request("POST", headers, b"", json.dumps(request("ping")).encode(), "r1")
        )
        assert reply.status == 401


async def test_one_wrong_key_too_many_is_told_when_to_come_back_and_a_right_one_is_let_in() -> None:
    keys = Keys()
    keys.tried.add(ADDRESS)
    asked, reply = await send(request("ping"), keys=keys, authorization="Bearer nobody")
    assert (reply.status, header(reply, b"retry-after")) == (429, b"5")
    assert header(reply, b"content-type") == b"application/json"
    error = json.loads(reply.body)["error"]
    assert error["code"] == RATE_LIMITED
    assert error["data"] == {"code": "RATE_LIMIT_EXCEEDED", "retry_after_seconds": 5, "limit": "wrong_keys"}
    assert (asked.notes.error_code, asked.notes.protocol_error) == ("RATE_LIMIT_EXCEEDED", True)
    assert (await send(request("ping"), keys=keys))[1].status == 200


async def test_a_suspended_tenant_is_refused_with_403_and_told_why() -> None:
    keys = Keys()
    keys.suspended.add("t_acme")
    asked, reply = await send(request("ping"), keys=keys)
    assert reply.status == 403
    assert header(reply, b"www-authenticate") is None
    error = json.loads(reply.body)["error"]
    assert error["message"] == "This tenant is suspended by the operator."
    assert error["data"] == {"code": "AUTH_ERROR"}
    assert (asked.notes.error_code, asked.notes.protocol_error) == ("AUTH_ERROR", True)
    assert (await send(request("ping"), keys=keys, authorization="Bearer other-key"))[1].status == 200


@pytest.mark.parametrize(
    ("item", "status"),
    [
        (request("nowhere"), 200),
        (modern("nowhere"), 404),
        ("text", 400),
        (notification("x"), 202),
        (request("who"), 200),
    ],
)
async def test_an_error_has_the_status_of_its_era(item: Any, status: int) -> None:
    is_modern = isinstance(item, dict) and "_meta" in item.get("params", {})
    version = "2026-07-28" if is_modern else "2025-11-25"
    assert (await send(item, mcp_protocol_version=version, mcp_method="nowhere"))[1].status == status


async def test_a_modern_notification_of_an_unknown_version_is_refused() -> None:
    assert (await send(notification("x"), mcp_protocol_version="2099-01-01"))[1].status == 400


async def test_a_used_up_limit_is_429_for_a_method_and_200_for_a_tool_both_with_the_wait() -> None:
    smallest = Smallest()
    smallest.wait = 3.0
    _, refused = await send(request("who"), smallest=smallest)
    assert (refused.status, header(refused, b"retry-after")) == (429, b"3")
    _, answered = await send(call("limited"), smallest=smallest)
    assert (answered.status, header(answered, b"retry-after")) == (200, b"7")


async def events(reply: Reply) -> list[Any]:
    assert reply.stream is not None
    assert header(reply, b"content-type") == b"text/event-stream"
    return [json.loads(event.removeprefix(b"event: message\ndata: ")) async for event in reply.stream]


async def test_what_is_said_before_the_result_turns_the_reply_into_an_event_stream() -> None:
    smallest = Smallest(streams=True)
    _, reply = await send(request("say", data="a"), smallest=smallest)
    assert [event.get("method", "result") for event in await events(reply)] == ["notifications/message", "result"]
    _, silent = await send(request("who"), smallest=smallest)
    assert silent.stream is None
    assert json.loads(silent.body)["result"]["tenant"] == "t_acme"


async def test_an_error_after_something_was_said_is_the_last_event() -> None:
    asked, reply = await send(request("say", 9, data="a", wrong=True), smallest=Smallest(streams=True))
    last = (await events(reply))[-1]
    assert (last["id"], last["error"]["code"]) == (9, -32602)
    assert asked.notes.error_code == "-32602"


async def test_the_answer_of_an_array_follows_what_its_messages_said() -> None:
    _, reply = await send([request("say", 1, data="a"), request("say", 2, data="b")], smallest=Smallest(streams=True))
    *said, answers = await events(reply)
    assert [message["params"]["data"] for message in said] == ["a", "b"]
    assert [answer["id"] for answer in answers] == [1, 2]

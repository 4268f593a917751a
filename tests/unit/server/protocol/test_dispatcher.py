import asyncio
import json
from typing import Any

import pytest

from server.protocol.dispatch import Answer
from server.protocol.exchange import Arrival, Notes
from tests.unit.server.protocol.smallest import ACME, META, PREFIX, Smallest, modern, notification, request


def arrival(*, is_modern: bool = False, version: str | None = None, **given: Any) -> Arrival:
    return Arrival(ACME, "r1", Notes(), is_modern, version, **given)


async def dispatch(item: object, arrived: Arrival, smallest: Smallest | None = None) -> Any:
    """The decoded answer."""
    answer = await (smallest or Smallest()).dispatcher.dispatch(item, arrived)
    return None if answer is None else json.loads(answer.body)


async def test_an_older_request_is_answered_in_the_version_that_the_transport_names() -> None:
    answer = await dispatch(request("who", 5), arrival(version="2025-06-18"))
    assert answer == {
        "jsonrpc": "2.0",
        "id": 5,
        "result": {"tenant": "t_acme", "modern": False, "version": "2025-06-18"},
    }
    assert (await dispatch(request("who"), arrival()))["result"]["version"] == "2025-11-25"


async def test_a_modern_request_needs_no_headers_where_the_transport_has_none() -> None:
    result = (await dispatch(modern("who"), arrival(is_modern=True)))["result"]
    assert result["modern"]
    assert result["resultType"] == "complete"
    assert result["_meta"][f"{PREFIX}serverInfo"] == {"name": "smallest", "version": "0"}


async def test_a_modern_request_must_agree_with_headers_where_there_are_some() -> None:
    right = {b"mcp-protocol-version": b"2026-07-28", b"mcp-method": b"who"}
    assert "result" in await dispatch(modern("who"), arrival(is_modern=True, headers=right))
    for wrong in ({}, {**right, b"mcp-method": b"say"}, {**right, b"mcp-protocol-version": b"2025-11-25"}):
        answer = await dispatch(modern("who"), arrival(is_modern=True, headers=wrong))
        assert answer["error"]["code"] == -32020


@pytest.mark.parametrize("version", ["2027-01-01", "2025-11-25"])
async def test_a_modern_version_that_is_not_served_is_told_which_are(version: str) -> None:
    item = request("who", _meta={**META, f"{PREFIX}protocolVersion": version})
    error = (await dispatch(item, arrival(is_modern=True)))["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": ["2026-07-28"], "requested": version}


@pytest.mark.parametrize("version", [["2026-07-28"], {}, 5, None, True])
async def test_a_modern_version_that_is_no_text_is_refused_without_headers_too(version: Any) -> None:
    item = request("who", _meta={**META, f"{PREFIX}protocolVersion": version})
    assert (await dispatch(item, arrival(is_modern=True)))["error"]["code"] == -32602


async def test_each_era_has_its_own_methods() -> None:
    assert (await dispatch(request("initialize", protocolVersion="2024-11-05"), arrival()))["result"]
    assert (await dispatch(request("ping"), arrival()))["result"] == {}
    assert (await dispatch(request("server/discover"), arrival()))["error"]["code"] == -32601
    discovered = await dispatch(modern("server/discover"), arrival(is_modern=True))
    assert discovered["result"]["supportedVersions"] == ["2026-07-28"]
    for removed in ("initialize", "ping"):
        assert (await dispatch(modern(removed), arrival(is_modern=True)))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("item", "code", "identity"),
    [
        ("text", -32600, None),
        ([], -32600, None),
        ({"id": 1, "method": "who"}, -32600, 1),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "who"}, -32600, None),
        ({"jsonrpc": "2.0", "id": 3, "method": ["who"]}, -32600, 3),
        (request("nowhere", "four"), -32601, "four"),
    ],
)
async def test_what_cannot_be_answered_becomes_an_error_and_is_noted(item: Any, code: int, identity: Any) -> None:
    arrived = arrival()
    answer = await dispatch(item, arrived)
    assert answer["error"]["code"] == code
    assert answer["id"] == identity
    assert arrived.notes.error_code == str(code)
    assert arrived.notes.protocol_error


async def test_notifications_and_responses_are_not_answered() -> None:
    response = {"jsonrpc": "2.0", "id": 1, "result": {}}
    for item in (notification("notifications/initialized"), notification("no/such"), response, [response]):
        assert await dispatch(item, arrival()) is None


async def test_an_array_is_answered_in_order_without_its_notifications() -> None:
    items = [request("who", 1), notification("x"), request("nowhere", 2), request("initialize", 3), "text"]
    answers = await dispatch(items, arrival(version="2025-03-26"))
    assert [(answer["id"], answer.get("error", {}).get("code")) for answer in answers] == [
        (1, None),
        (2, -32601),
        (3, -32600),
        (None, -32600),
    ]


@pytest.mark.parametrize(
    ("version", "size"), [("2025-06-18", 1), ("2025-11-25", 1), ("2025-03-26", 0), ("2025-03-26", 21)]
)
async def test_an_array_is_refused_where_its_revision_has_none_or_it_is_too_long(version: str, size: int) -> None:
    answer = await dispatch([request("who")] * size, arrival(version=version))
    assert answer["error"]["code"] == -32600


async def test_a_modern_array_is_no_message() -> None:
    assert (await dispatch([modern("who")], arrival(is_modern=True)))["error"]["code"] == -32600


async def test_a_used_up_rate_limit_says_how_long_to_wait() -> None:
    smallest = Smallest()
    smallest.wait = 1.2
    answer = await smallest.dispatcher.dispatch(request("who"), arrival())
    assert isinstance(answer, Answer)
    assert answer.retry_after == 2
    assert json.loads(answer.body)["error"]["data"] == {"retry_after_seconds": 2}
    assert (await dispatch(request("tools/call", name="free"), arrival(), smallest))["result"]["tool"] == "free"


async def test_a_fault_is_left_to_the_transport() -> None:
    with pytest.raises(RuntimeError):
        await dispatch(request("boom"), arrival())


async def test_a_response_reaches_the_question_of_the_same_tenant_alone() -> None:
    smallest = Smallest(streams=True)
    arrived = arrival()
    channel = smallest.dispatcher.channel(arrived)
    asking = asyncio.create_task(channel.ask("elicitation/create", {}))
    question = json.loads(await channel.outbox.get())
    answer = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "accept"}}
    stranger = arrival()
    stranger.caller = type(ACME)("t_other", "other", "k")
    assert await dispatch(answer, stranger, smallest) is None
    assert not asking.done()
    assert await dispatch(answer, arrived, smallest) is None
    assert (await asking)["result"] == {"action": "accept"}

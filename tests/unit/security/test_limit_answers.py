"""An answer is told for what it is, whatever the server: served, refused by the limit, or neither."""

import json

import pytest

from security.probe.limits.answers import fate_of_invalid, fates
from security.probe.limits.bucket import Fate

JSON = "application/json"
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "rate limit of 5"}]}}


def error(message: str) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": message}}


def tool_error(text: str) -> dict[str, object]:
    result = {"content": [{"type": "text", "text": text}], "isError": True}
    return {"jsonrpc": "2.0", "id": 1, "result": result}


@pytest.mark.parametrize(
    ("message", "fate"),
    [
        (RESULT, Fate.SERVED),
        (error("Rate limit exceeded for client"), Fate.REFUSED),
        (error("Too many requests"), Fate.REFUSED),
        (error("Unknown tool"), Fate.OTHER),
        (tool_error('{"error": {"code": "RATE_LIMIT_EXCEEDED"}}'), Fate.REFUSED),
        (tool_error("No store is active"), Fate.OTHER),
        ({"error": {"code": "HOST_NOT_ALLOWED"}}, Fate.OTHER),
        ("nonsense", Fate.OTHER),
    ],
)
def test_one_answer(message: object, fate: Fate) -> None:
    assert fates(200, JSON, json.dumps(message).encode()) == [fate]


def test_status_429_is_a_refusal_whatever_it_carries() -> None:
    assert fates(429, "text/html", b"<h1>Slow down</h1>") == [Fate.REFUSED]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null"])
def test_what_is_no_answer_is_neither(body: bytes) -> None:
    assert fates(200, JSON, body) == [Fate.OTHER]


def test_an_array_answers_each_of_its_calls() -> None:
    body = json.dumps([RESULT, error("Rate limit exceeded"), error("Unknown tool")]).encode()
    assert fates(200, JSON, body) == [Fate.SERVED, Fate.REFUSED, Fate.OTHER]


def test_an_event_stream_is_read_and_its_notifications_are_no_answers() -> None:
    told = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
    body = b"".join(b"event: message\r\ndata: " + json.dumps(each).encode() + b"\r\n\r\n" for each in (told, RESULT))
    assert fates(200, "text/event-stream; charset=utf-8", body) == [Fate.SERVED]


@pytest.mark.parametrize(
    ("status", "message", "fate"),
    [
        (200, RESULT, Fate.SERVED),
        (200, tool_error("No store is active"), Fate.SERVED),
        (404, error("Unknown method"), Fate.SERVED),
        (200, error("Rate limit exceeded"), Fate.REFUSED),
        (429, "slow down", Fate.REFUSED),
        (401, error("Which key?"), Fate.OTHER),
        (502, error("No server"), Fate.OTHER),
        (400, {"detail": "What a proxy says"}, Fate.OTHER),
        (0, "", Fate.OTHER),
    ],
)
def test_an_invalid_call_counts_as_served_where_the_server_itself_answers_it(
    status: int, message: object, fate: Fate
) -> None:
    assert fate_of_invalid(status, JSON, json.dumps(message).encode()) is fate

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import INVALID_REQUEST

from server.protocol.messages import ProtocolError, encode_error, encode_result, identity_of, read
from tests.unit.server.parts import seeded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON,
        "id": st.integers() | st.text(max_size=5) | JSON,
        "method": st.sampled_from(["ping", "tools/call"]) | JSON,
        "params": st.dictionaries(st.text(max_size=3), JSON, max_size=2) | JSON,
        "result": JSON,
        "error": JSON,
    },
)


def test_a_request_a_notification_and_a_response_are_told_apart() -> None:
    request = read({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": 1}})
    assert (request.id, request.method, request.params, request.response) == (1, "ping", {"a": 1}, None)
    notification = read({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (notification.id, notification.method, notification.params) == (None, "notifications/initialized", {})
    for member in ("result", "error"):
        response = read({"jsonrpc": "2.0", "id": "q", member: {}})
        assert (response.id, response.method) == ("q", None)
        assert response.response is not None


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        "ping",
        5,
        {},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": 2.0, "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": {}, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
        {"jsonrpc": "2.0", "result": {}},
    ],
)
def test_what_is_no_message_is_refused(item: Any) -> None:
    with pytest.raises(ProtocolError) as refused:
        read(item)
    assert refused.value.code == INVALID_REQUEST


@seeded
@given(item=ENVELOPES | JSON)
def test_every_decoded_body_is_a_message_or_refused(item: Any) -> None:
    try:
        message = read(item)
    except ProtocolError as error:
        answer = orjson.loads(encode_error(identity_of(item), error))
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] is None or answer["id"] == item["id"]
        assert isinstance(answer["error"]["message"], str)
    else:
        assert isinstance(message.params, dict)
        assert (message.method is None) == (message.response is not None)


def test_an_error_is_answered_with_the_id_of_a_message_that_has_a_usable_one() -> None:
    assert identity_of({"id": 5}) == 5
    assert identity_of({"id": "a"}) == "a"
    unusable: list[Any] = [{"id": True}, {"id": 1.5}, {"id": None}, {}, [], None]
    for item in unusable:
        assert identity_of(item) is None


def test_results_and_errors_are_encoded_as_json_rpc() -> None:
    assert orjson.loads(encode_result(1, {"a": 1})) == {"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}
    assert orjson.loads(encode_error("x", ProtocolError(-1, "no", {"why": 2}))) == {
        "jsonrpc": "2.0",
        "id": "x",
        "error": {"code": -1, "message": "no", "data": {"why": 2}},
    }
    assert "data" not in orjson.loads(encode_error(1, ProtocolError(-1, "no")))["error"]

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import (
    LATEST_MODERN,
    LEGACY_VERSIONS,
    VERSIONS,
    NoAnswerError,
    ProtocolError,
    RpcError,
    connect,
)
from harness.process import Command, child_environment, running

SCRIPT = Path(__file__).with_name("sdk_server.py")
VARIANTS = [(sessions, answers) for sessions in ("stateful", "stateless") for answers in ("json", "sse")]


@pytest.fixture(scope="module", params=VARIANTS, ids="-".join)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    arguments = (sys.executable, str(SCRIPT), *request.param)
    command = Command("sdk", arguments, child_environment({}, os.environ), SCRIPT.parent)
    with running(command, logs=tmp_path_factory.mktemp("sdk")) as server:
        port = server.wait_for_event("sdk.listening", seconds=30)["port"]
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.mark.parametrize("version", VERSIONS)
def test_each_revision_is_settled_on_when_asked_for(url: str, version: str) -> None:
    with connect(url, version=version) as client:
        assert client.version == version
        assert client.server["name"] == "sdk"
        assert {tool["name"] for tool in client.list_tools()} == {"add", "fail", "größe"}


def test_auto_settles_on_the_newest_revision(url: str) -> None:
    with connect(url) as client:
        assert client.version == LATEST_MODERN


def test_a_session_is_known_by_its_id_where_the_server_opens_one(url: str, request: pytest.FixtureRequest) -> None:
    stateful = "stateful" in request.node.callspec.id
    with connect(url, version=LEGACY_VERSIONS[-1]) as legacy, connect(url, version=LATEST_MODERN) as modern:
        assert (legacy.session_id is not None) == stateful
        assert modern.session_id is None


@pytest.mark.parametrize("version", [LEGACY_VERSIONS[0], LEGACY_VERSIONS[-1], LATEST_MODERN])
def test_a_call_brings_back_both_forms_of_its_result(url: str, version: str) -> None:
    with connect(url, version=version) as client:
        outcome = client.call_tool("add", {"a": 2, "b": 3})
    assert not outcome.is_error
    assert outcome.structured == {"sum": 5}
    assert '"sum": 5' in outcome.text
    assert outcome.http_status == 200
    assert outcome.seconds > 0


@pytest.mark.parametrize("version", [LEGACY_VERSIONS[-1], LATEST_MODERN])
def test_a_failing_tool_is_an_outcome_not_an_exception(url: str, version: str) -> None:
    with connect(url, version=version) as client:
        failed = client.call_tool("fail")
        assert failed.is_error
        assert "told to fail" in failed.text


@pytest.mark.parametrize("version", [LEGACY_VERSIONS[-1], LATEST_MODERN])
def test_names_and_texts_outside_ascii_survive(url: str, version: str) -> None:
    with connect(url, version=version) as client:
        assert client.call_tool("größe").text == "line\u2028separator"


def test_a_json_rpc_error_brings_its_code_status_and_data(url: str) -> None:
    with connect(url, version=LATEST_MODERN) as client, pytest.raises(RpcError) as caught:
        client.request("no/such/method")
    assert caught.value.code == -32601
    assert caught.value.status == 404


def test_raw_bytes_get_whatever_the_server_answers(url: str) -> None:
    with connect(url) as client:
        answer = client.post(b"{", {"Accept": None, "MCP-Protocol-Version": LATEST_MODERN})
    assert 400 <= answer.status < 500


def test_a_revision_that_the_server_does_not_speak_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.client.wire.MODERN_VERSIONS", (LATEST_MODERN, "2099-01-01"))
    monkeypatch.setattr("harness.client.wire.VERSIONS", (*VERSIONS, "2099-01-01"))
    with pytest.raises((RpcError, ProtocolError), match=r"2099-01-01|nsupported"):
        connect(url, version="2099-01-01")


def test_a_closed_port_is_one_line_without_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswerError, match=r"^http://127\.0\.0\.1:\d+/mcp: .*[Cc]onnect[^\n]*$"):
        connect(f"http://127.0.0.1:{port}/mcp")

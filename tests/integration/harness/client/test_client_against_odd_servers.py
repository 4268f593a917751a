"""Servers, proxies and error pages as clients meet them, scripted byte by byte."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.client import Client, HttpStatusError, NoAnswerError, ProtocolError, RpcError, connect

Reply = tuple[int, dict[str, str], bytes]
Script = Callable[[dict[str, Any], dict[str, str]], Reply]
JSON = {"Content-Type": "application/json"}
EVENTS = {"Content-Type": "text/event-stream; charset=utf-8"}


def result(message: dict[str, Any], **values: Any) -> Reply:
    return 200, JSON, json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": values}).encode()


def rpc_error(message: dict[str, Any], code: int, status: int) -> Reply:
    error = {"code": code, "message": "no", "data": {"why": "told so"}}
    return status, JSON, json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "error": error}).encode()


def legacy(message: dict[str, Any], headers: dict[str, str]) -> Reply:
    """A server that has never heard of 2026: an error page for what it does not know."""
    if message["method"] == "initialize":
        assert "mcp-protocol-version" not in headers
        return result(message, protocolVersion="2025-06-18", capabilities={}, serverInfo={"name": "old"})
    if message["method"] == "notifications/initialized":
        assert headers["mcp-protocol-version"] == "2025-06-18"
        return 202, {}, b""
    return 404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>"


def answering(reply: Callable[[dict[str, Any]], Reply]) -> Script:
    """A server of the 2025-06-18 era whose every other request gets this reply."""

    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        if message["method"] in {"initialize", "notifications/initialized"}:
            return legacy(message, headers)
        return reply(message)

    return script


@pytest.fixture
def serve() -> Iterator[Callable[[Script], str]]:
    servers: list[ThreadingHTTPServer] = []
    threads: list[threading.Thread] = []

    def start(script: Script) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, extra, content = script(json.loads(body), headers)
                self.send_response(status)
                for name, value in extra.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                with contextlib.suppress(ConnectionError):  # the client gave up
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threads.append(threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}))
        threads[-1].start()
        return f"http://127.0.0.1:{server.server_port}/mcp"

    yield start
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def connect_legacy(url: str, timeout_seconds: float = 5.0) -> Client:
    return connect(url, version="2025-06-18", timeout_seconds=timeout_seconds)


def test_auto_falls_back_to_the_handshake_on_an_error_page(serve: Callable[[Script], str]) -> None:
    with connect(serve(legacy)) as client:
        assert client.version == "2025-06-18"
        assert client.server == {"name": "old"}


def test_a_pinned_revision_is_not_traded_for_another(serve: Callable[[Script], str]) -> None:
    with pytest.raises(ProtocolError, match=r"does not speak 2025-11-25, it offers '2025-06-18'"):
        connect(serve(legacy), version="2025-11-25")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_auto_does_not_take_a_refusal_or_an_outage_for_an_old_server(
    serve: Callable[[Script], str], status: int
) -> None:
    methods = []

    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        methods.append(message["method"])
        return rpc_error(message, -32001, status)

    with pytest.raises(RpcError) as caught:
        connect(serve(script))
    assert caught.value.status == status
    assert caught.value.data == {"why": "told so"}
    assert methods == ["server/discover"]


def test_a_redirect_is_not_followed_and_the_token_stays(serve: Callable[[Script], str]) -> None:
    seen: list[str] = []

    def elsewhere(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        seen.append(headers["authorization"])
        return result(message)

    other = serve(elsewhere)
    with pytest.raises(HttpStatusError, match=r"HTTP 307 to .* \(not followed\)"):
        connect(serve(lambda *_: (307, {"Location": other}, b"")), "secret", version="2026-07-28")
    assert seen == []


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        ((200, {"Content-Type": "text/html"}, b"<h1>Welcome</h1>"), "HTTP 200, text/html"),
        ((202, {}, b""), "HTTP 202, no content type"),
        ((200, JSON, b"{"), "not JSON"),
        ((200, JSON, b"[]"), "not an object"),
        ((200, JSON, b'{"jsonrpc": "2.0", "id": 2}'), "neither a JSON-RPC result nor an error"),
        ((200, JSON, b'{"jsonrpc": "2.0", "id": 99, "result": {}}'), "carries id 99"),
        ((502, JSON, b'{"message": "bad gateway"}'), "HTTP 502, application/json"),
        ((200, EVENTS, b": ping\r\n\r\n"), "ended without an answer"),
    ],
)
def test_what_is_no_answer_is_said_in_one_line(serve: Callable[[Script], str], reply: Reply, complaint: str) -> None:
    with (
        connect_legacy(serve(answering(lambda _: reply))) as client,
        pytest.raises((HttpStatusError, ProtocolError)) as caught,
    ):
        client.request("tools/list")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_messages_on_the_stream_are_passed_over(serve: Callable[[Script], str]) -> None:
    def stream(message: dict[str, Any]) -> Reply:
        progress = b'event: message\ndata: {"jsonrpc": "2.0", "method": "notifications/progress"}\n\n'
        question = b'data: {"jsonrpc": "2.0", "id": %d, "method": "roots/list"}\n\n' % message["id"]
        answer = (
            b'id: 7\r\ndata: {"jsonrpc": "2.0",\r\ndata:  "id": %d, "result": {"tools": []}}\r\n\r\n' % message["id"]
        )
        return 200, EVENTS, b": hello\n\n" + progress + question + answer

    with connect_legacy(serve(answering(stream))) as client:
        assert client.list_tools() == []


def test_a_list_is_read_to_its_last_page_and_a_circle_is_noticed(serve: Callable[[Script], str]) -> None:
    pages = {None: ("a", "2"), "2": ("b", "3"), "3": ("c", None)}

    def paged(message: dict[str, Any]) -> Reply:
        name, following = pages[message.get("params", {}).get("cursor")]
        return result(message, tools=[{"name": name}], nextCursor=following)

    with connect_legacy(serve(answering(paged))) as client:
        assert [tool["name"] for tool in client.list_tools()] == ["a", "b", "c"]
    pages["3"] = ("c", "3")
    with connect_legacy(serve(answering(paged))) as client, pytest.raises(ProtocolError, match="same cursor"):
        client.list_tools()


def test_a_silent_server_is_given_up_after_the_time_out(serve: Callable[[Script], str]) -> None:
    released = threading.Event()

    def silent(message: dict[str, Any]) -> Reply:
        released.wait(10)
        return result(message)

    with (
        connect_legacy(serve(answering(silent)), timeout_seconds=0.3) as client,
        pytest.raises(NoAnswerError, match=r"no answer within 0\.3 s"),
    ):
        client.request("tools/list")
    released.set()


def test_a_token_that_no_header_can_carry_is_not_repeated(serve: Callable[[Script], str]) -> None:
    with pytest.raises(NoAnswerError) as caught:
        connect(serve(legacy), "geheim\nX-Other: 1")
    assert "geheim" not in str(caught.value)


def test_a_tool_result_that_asks_for_more_input_is_not_taken_for_an_outcome(serve: Callable[[Script], str]) -> None:
    reply = answering(lambda message: result(message, resultType="input_required", inputRequests={}))
    with connect_legacy(serve(reply)) as client, pytest.raises(ProtocolError, match="input_required"):
        client.call_tool("ask")

"""Responses on one connection are told apart, however a server frames them and whenever it closes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from harness.record import Target
from security.probe.limits.bucket import Fate
from security.probe.limits.line import Line
from security.probe.limits.sending import in_one_write, in_turn
from security.probe.site import Site, Tenant

SERVED = b'{"jsonrpc": "2.0", "id": 1, "result": {}}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(SERVED) + SERVED
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6\r\ndata: \r\n%x;probe=1\r\n%s\r\n2\r\n\n\n\r\n0\r\nTrailer: 1\r\n\r\n" % (len(SERVED), SERVED)
)
UNTIL_CLOSED = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + SERVED
INFORMED = b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REQUEST = b"POST /mcp HTTP/1.1\r\n\r\n"
Serve = Callable[..., Site]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that answers each connection's first bytes with the next script, and closes."""
    with contextlib.ExitStack() as stack:

        def start(*scripts: bytes) -> Site:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def answer() -> None:
                for script in scripts:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(script)
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(65536):
                            pass

            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            stack.callback(thread.join, 10)
            return Site(Target(name="odd", url=f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"), Tenant(None))

        yield start


@pytest.mark.parametrize("script", [PLAIN, CHUNKED, UNTIL_CLOSED, INFORMED])
def test_a_response_is_read_whole(serve: Serve, script: bytes) -> None:
    with Line(serve(script)) as line:
        (call,) = in_turn(line, [REQUEST])
    assert call.fate is Fate.SERVED
    assert call.sent < call.answered


def test_pipelined_responses_are_told_apart(serve: Serve) -> None:
    with Line(serve(PLAIN + CHUNKED + REFUSED)) as line:
        calls = in_one_write(line, [REQUEST] * 3)
    assert [call.fate for call in calls] == [Fate.SERVED, Fate.SERVED, Fate.REFUSED]


def test_a_server_that_closes_has_neither_served_nor_refused_what_is_left(serve: Serve) -> None:
    with Line(serve(PLAIN)) as line:
        calls = in_one_write(line, [REQUEST] * 3)
    assert [call.fate for call in calls] == [Fate.SERVED, Fate.OTHER]


def test_a_response_that_is_cut_off_is_none(serve: Serve) -> None:
    with Line(serve(PLAIN[:-5])) as line:
        (call,) = in_turn(line, [REQUEST])
    assert call.fate is Fate.OTHER


def test_a_closed_connection_is_opened_again_for_the_next_request(serve: Serve) -> None:
    with Line(serve(REFUSED, PLAIN, PLAIN)) as line:
        calls = in_turn(line, [REQUEST] * 2)
        line.receive()
        calls += in_turn(line, [REQUEST])
    assert [call.fate for call in calls] == [Fate.REFUSED, Fate.SERVED, Fate.SERVED]

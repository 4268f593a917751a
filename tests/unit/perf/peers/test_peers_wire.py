"""HTTP on a bare socket: responses in pieces, chunked ones, and connections that end too early."""

import socket
import threading
from collections.abc import Iterator

import pytest

from perf.peers.wire import Response, WireError, exchange, request


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)
    with ours, theirs:
        yield ours, theirs


def answer(ends: tuple[socket.socket, socket.socket], *pieces: bytes) -> Response:
    ours, theirs = ends

    def serve() -> None:
        theirs.recv(65_536)
        for piece in pieces:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        return exchange(ours, request("GET", "/", {"Host": "x"}))
    finally:
        thread.join()


def test_a_request_says_how_long_it_is() -> None:
    sent = request("POST", "/mcp", {"Host": "x", "Accept": "a/b"}, b"{}")

    assert sent == b"POST /mcp HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\nContent-Length: 2\r\n\r\n{}"


def test_a_response_in_pieces_is_put_together(ends: tuple[socket.socket, socket.socket]) -> None:
    response = answer(ends, b"HTTP/1.1 200 OK\r\nContent-", b"Length: 5\r\n\r", b"\nhe", b"llo")

    assert (response.status, response.body) == (200, b"hello")


def test_a_chunked_response_is_decoded_and_kept_as_it_came(ends: tuple[socket.socket, socket.socket]) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = answer(ends, head + b"3\r\nhel\r\n", b"2\r\nlo\r\n0\r\n", b"\r\n")

    assert response.body == b"hello"
    assert response.raw_body == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


def test_a_response_without_a_body_is_complete(ends: tuple[socket.socket, socket.socket]) -> None:
    assert answer(ends, b"HTTP/1.1 202 Accepted\r\n\r\n").status == 202


@pytest.mark.parametrize(
    "piece", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", b"SSH-2.0\r\n\r\n"]
)
def test_a_response_that_is_not_whole_is_an_error(ends: tuple[socket.socket, socket.socket], piece: bytes) -> None:
    with pytest.raises(WireError):
        answer(ends, piece)

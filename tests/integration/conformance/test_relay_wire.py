"""The relay on real sockets: bytes go through as they are, and an end on one side ends the other."""

import socket
import threading
from collections.abc import Iterator

import pytest

from harness.conformance.relay import Relay, relaying

ANSWER = b"HTTP/1.1 202 Accepted\r\nX-Odd:  kept \r\nContent-Length: 0\r\n\r\n"
LIMITED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n"
SECONDS = 10.0


@pytest.fixture
def upstream() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        yield listener


@pytest.fixture
def relay(upstream: socket.socket) -> Iterator[Relay]:
    with relaying(f"http://127.0.0.1:{upstream.getsockname()[1]}/mcp", "s3cret") as running:
        yield running


def dial(relay: Relay) -> socket.socket:
    host, port = relay.url.removeprefix("http://").removesuffix("/mcp").split(":")
    return socket.create_connection((host, int(port)), timeout=SECONDS)


def accept(listener: socket.socket) -> socket.socket:
    connection, _ = listener.accept()
    connection.settimeout(SECONDS)
    return connection


def receive(connection: socket.socket, ending: bytes) -> bytes:
    received = b""
    while not received.endswith(ending):
        chunk = connection.recv(65_536)
        assert chunk, f"closed after {received!r}"
        received += chunk
    return received


def request(body: bytes) -> bytes:
    return b"POST /mcp HTTP/1.1\r\nX-Odd:  a \r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def with_token(sent: bytes) -> bytes:
    return sent.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n", 1)


def test_two_requests_on_one_connection_both_get_the_token(upstream: socket.socket, relay: Relay) -> None:
    with dial(relay) as client:
        first, second = request(b'{"a": "\r\n\r\n"}'), request(b"x" * 200_000 + b"!")
        client.sendall(first)
        with accept(upstream) as server:
            assert receive(server, b'"}') == with_token(first)
            server.sendall(ANSWER)
            assert receive(client, b"\r\n\r\n") == ANSWER
            sender = threading.Thread(target=client.sendall, args=(second,))
            sender.start()
            assert receive(server, b"!") == with_token(second)
            sender.join()


def test_an_answer_that_streams_arrives_piece_by_piece(upstream: socket.socket, relay: Relay) -> None:
    with dial(relay) as client:
        client.sendall(request(b"{}"))
        with accept(upstream) as server:
            receive(server, b"{}")
            for piece in (b"HTTP/1.1 200 OK\r\n\r\n", b"event: message\ndata: 1\n\n"):
                server.sendall(piece)
                assert receive(client, piece) == piece
        assert client.recv(1) == b""


def test_a_client_that_goes_away_is_gone_for_the_server_too(upstream: socket.socket, relay: Relay) -> None:
    with dial(relay) as client:
        client.sendall(request(b"{}"))
        server = accept(upstream)
        receive(server, b"{}")
    with server:
        assert server.recv(1) == b""


def test_a_chunked_request_is_not_passed_without_a_token(upstream: socket.socket, relay: Relay) -> None:
    with dial(relay) as client:
        client.sendall(b"POST /mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nPOST /mcp HTTP/1.1\r\n\r\n")
        with accept(upstream) as server:
            assert server.recv(65_536).count(b"POST") <= 1
        assert client.recv(1) == b""


def test_answers_that_limit_the_rate_are_counted(upstream: socket.socket, relay: Relay) -> None:
    with dial(relay) as client:
        client.sendall(request(b"{}"))
        with accept(upstream) as server:
            receive(server, b"{}")
            server.sendall(LIMITED)
            assert receive(client, b"\r\n\r\n") == LIMITED
    assert relay.limited == 1


def test_a_server_that_cannot_be_reached_closes_the_connection(upstream: socket.socket) -> None:
    url = f"http://127.0.0.1:{upstream.getsockname()[1]}/mcp"
    upstream.close()
    with relaying(url, None) as relay, dial(relay) as client:
        assert client.recv(1) == b""

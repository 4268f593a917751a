import contextlib
import http.client
import json
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.integration.server.bench import Bench

HEAD_BYTES = 65_536
FIRST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n"


def answer_to(bench: Bench, *pieces: bytes) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that the server answers at last, after which the connection is closed."""
    address = urlsplit(bench.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return answered(connection, *pieces)


def answered(connection: socket.socket, *pieces: bytes) -> tuple[int, dict[str, Any]]:
    """As `answer_to`, on a connection."""
    received = b""
    for piece in pieces:
        connection.sendall(piece)
    while more := connection.recv(65_536):
        received += more
    head, _, body = received[received.rindex(b"HTTP/1.1 ") :].partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    return int(head.split()[1]), json.loads(body)


def head_of(size: int, *, headers: int) -> bytes:
    """A request for /health/live whose head is of exactly that size."""
    rest = size - len(FIRST) - len(b"Connection: close\r\n\r\n")
    lines = [b"X-%05d: " % number for number in range(headers)]
    padding, more = divmod(rest - sum(len(line) + 2 for line in lines), headers)
    values = [b"a" * (padding + (number < more)) for number in range(headers)]
    head = FIRST + b"".join(line + value + b"\r\n" for line, value in zip(lines, values, strict=True))
    head += b"Connection: close\r\n\r\n"
    assert len(head) == size
    return head


@pytest.mark.parametrize("headers", [1, 1_000])
@pytest.mark.parametrize("piece", [1_000, 65_535, 10_000_000])
def test_the_limit_of_a_head_is_exact_however_it_arrives(headers: int, piece: int, bench: Bench) -> None:
    def sent(size: int) -> int:
        head = head_of(size, headers=headers)
        return answer_to(bench, *(head[start : start + piece] for start in range(0, size, piece)))[0]

    assert [sent(size) for size in (HEAD_BYTES, HEAD_BYTES + 1, 200_000)] == [200, 431, 431]


def test_a_head_behind_another_request_has_the_same_limit(bench: Bench) -> None:
    first = FIRST + b"\r\n"
    assert answer_to(bench, first + head_of(HEAD_BYTES, headers=3))[0] == 200
    assert answer_to(bench, first + head_of(HEAD_BYTES + 1, headers=3))[0] == 431


def test_a_head_behind_an_answered_request_has_the_same_limit_and_is_told(bench: Bench) -> None:
    address = urlsplit(bench.base_url)
    for size, status in ((HEAD_BYTES, 200), (HEAD_BYTES + 1, 431)):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/health/live")
            with connection.getresponse() as first:
                assert (first.status, bool(first.read())) == (200, True)
            assert connection.sock is not None, "the connection was not kept"
            assert answered(connection.sock, head_of(size, headers=3))[0] == status


def test_what_follows_a_head_in_the_same_piece_does_not_count_towards_the_next(bench: Bench) -> None:
    first = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
    last = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    whole = first + b" " * 100_000 + last
    for place in (20, len(first) + 5, len(whole) - 30):
        assert answer_to(bench, whole[:place], whole[place:])[0] == 200


def test_headers_that_trail_a_body_are_limited_with_those_before_it(bench: Bench) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    trailers = b"".join(b"X-%05d: %b\r\n" % (number, b"a" * 1_000) for number in range(70))
    assert answer_to(bench, head + trailers)[0] == 431


def test_a_refused_head_and_what_is_no_http_are_answered_in_json(bench: Bench) -> None:
    large = {"code": "HEAD_TOO_LARGE", "message": "The request head is larger than 65536 bytes"}
    assert answer_to(bench, head_of(70_000, headers=1)) == (431, {"error": large})
    none = {"code": "INVALID_HTTP", "message": "Invalid HTTP request received."}
    assert answer_to(bench, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n") == (400, {"error": none})


HEAD = b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "begun",
    [
        HEAD + b"X-Long: ",
        HEAD + CHUNKED + b"2\r\n{}\r\n0\r\nX-Long: ",
        HEAD.replace(b"localhost", b"elsewhere") + CHUNKED + b"2\r\n{}\r\n0\r\nX-Long: ",
        HEAD + CHUNKED + b"2;",
    ],
    ids=["header", "trailer", "trailer of what is answered already", "chunk"],
)
def test_a_line_that_never_ends_is_refused_and_fills_no_memory(begun: bytes, start: Any) -> None:
    bench = start()
    address = urlsplit(bench.base_url)
    process = psutil.Process(bench.process.pid)
    before = process.memory_info().rss
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        sent = 0
        connection.sendall(begun)
        try:
            while sent < 50_000_000:
                sent += connection.send(b"a" * 65_536)
        except OSError:
            pass
    assert sent < 50_000_000
    assert process.memory_info().rss - before < 10_000_000
    assert bench.get("/health/live").status_code == 200


def test_a_body_that_is_announced_and_never_sent_does_not_spoil_a_stop(start: Any) -> None:
    bench = start(DRAIN_SECONDS="2", CALL_DEADLINE_SECONDS="1.5")
    address = urlsplit(bench.base_url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
        )
        assert bench.process.stop() == 0


def test_a_head_that_does_not_come_to_its_end_is_given_up(bench: Bench) -> None:
    """At the start and behind an answered request, however it trickles; and where nothing is said at all."""
    address = urlsplit(bench.base_url)
    trickles = {
        "a head": (FIRST + b"X-A: ", b"x", 408),
        "a head behind a request": (FIRST + b"\r\n" + FIRST + b"X-A: ", b"x", 408),
        "blank lines behind a request": (FIRST + b"\r\n", b"\r\n", None),
        "nothing": (b"", b"", None),
    }
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        open_ones = {}
        for what, (start, _, _) in trickles.items():
            open_ones[what] = stack.enter_context(socket.create_connection((address.hostname, address.port), 60))
            open_ones[what].settimeout(0.25)
            open_ones[what].sendall(start)
        received = dict.fromkeys(trickles, b"")
        while open_ones:
            assert time.monotonic() - began < 60, f"still open: {', '.join(open_ones)}"
            for what, connection in tuple(open_ones.items()):
                try:
                    more = connection.recv(65_536)
                except TimeoutError:
                    # What crosses the server's close is answered with a reset.
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(trickles[what][1])
                    continue
                except ConnectionError:
                    more = b""
                received[what] += more
                if not more:
                    del open_ones[what]
    for what, (_, _, status) in trickles.items():
        last = received[what].rpartition(b"HTTP/1.1 ")[2][:3]
        assert (last == b"408") is (status == 408), (what, received[what])
    assert time.monotonic() - began >= 19, "given up too early"

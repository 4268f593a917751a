import socket
from typing import Any
from urllib.parse import urlsplit

import psutil


def test_a_head_that_never_ends_is_refused_and_fills_no_memory(start: Any) -> None:
    bench = start()
    address = urlsplit(bench.base_url)
    process = psutil.Process(bench.process.pid)
    before = process.memory_info().rss
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        sent = 0
        connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
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

import asyncio
from typing import cast

import pytest

from server.edge.joined import JoinedTransport

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Connection:
    """What is written to a connection, and how it ended."""

    def __init__(self) -> None:
        self.done: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append(b"[closed]")

    def write_eof(self) -> None:
        self.done.append(b"[ended]")

    def is_closing(self) -> bool:
        return True


@pytest.fixture
def connection() -> Connection:
    return Connection()


@pytest.fixture
async def joined(connection: Connection) -> JoinedTransport:
    return JoinedTransport(cast("asyncio.Transport", connection), asyncio.get_running_loop())


async def test_head_and_body_are_one_write(joined: JoinedTransport, connection: Connection) -> None:
    joined.write(HEAD)
    assert not connection.done
    joined.write(b"body")
    assert connection.done == [HEAD + b"body"]
    await asyncio.sleep(0)
    assert connection.done == [HEAD + b"body"]


async def test_a_head_that_nothing_follows_goes_out_when_the_turn_ends(
    joined: JoinedTransport, connection: Connection
) -> None:
    joined.write(HEAD)
    await asyncio.sleep(0)
    assert connection.done == [HEAD]
    joined.write(b"event")
    assert connection.done == [HEAD, b"event"]


async def test_what_is_no_head_is_written_at_once(joined: JoinedTransport, connection: Connection) -> None:
    joined.write(HEAD + b"body")
    joined.write(b"more\r\n\r\n")
    assert connection.done == [HEAD + b"body", b"more\r\n\r\n"]


async def test_responses_one_after_the_other_stay_apart_and_in_order(
    joined: JoinedTransport, connection: Connection
) -> None:
    joined.write(HEAD)
    joined.write(b"one")
    joined.write(HEAD)
    joined.write(b"two")
    assert connection.done == [HEAD + b"one", HEAD + b"two"]


@pytest.mark.parametrize(("end", "mark"), [("close", b"[closed]"), ("write_eof", b"[ended]")])
async def test_nothing_kept_back_is_lost_at_the_end(
    joined: JoinedTransport, connection: Connection, end: str, mark: bytes
) -> None:
    joined.write(HEAD)
    getattr(joined, end)()
    await asyncio.sleep(0)
    assert connection.done == [HEAD, mark]


async def test_everything_else_is_the_connections_own(joined: JoinedTransport) -> None:
    assert joined.is_closing()

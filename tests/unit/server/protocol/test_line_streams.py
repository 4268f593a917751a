import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol.lines import LineSplitter, LineWriter, read_lines
from tests.unit.server.parts import seeded

LIMIT = 5


@given(
    st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")),
    st.lists(st.integers(1, 12), min_size=1),
)
@seeded
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], last: bytes, sizes: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines) + last
    splitter, found, place = LineSplitter(LIMIT), [], 0
    while stream[place:]:
        size = sizes[place % len(sizes)]
        found += splitter.feed(stream[place : place + size])
        assert sum(map(len, splitter._parts)) <= LIMIT
        place += size
    expected = [*lines, last] if last else lines
    assert found + splitter.end() == [line if len(line) <= LIMIT else None for line in expected]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


async def test_lines_are_read_as_they_come_and_the_last_may_lack_its_end(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    lines = read_lines(source, 100)
    os.write(sink, b"first\nsec")
    assert await anext(lines) == b"first"
    os.write(sink, b"ond\n" + b"x" * 101 + b"\nlast")
    os.close(sink)
    assert [line async for line in lines] == [b"second", None, b"last"]


async def test_a_source_that_cannot_be_read_has_ended(pipe: tuple[int, int]) -> None:
    assert [line async for line in read_lines(pipe[1], 100)] == []


async def test_input_that_nobody_takes_is_not_read_into_memory(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    lines = read_lines(source, 100)
    os.write(sink, b"\n")
    assert await anext(lines) == b""
    os.set_blocking(sink, False)
    written = blocked = 0
    # What fits is what a pipe holds, and the chunks that are read ahead.
    while blocked < 100 and written < 1_000_000:
        try:
            written += os.write(sink, b"y\n" * 2048)
            blocked = 0
        except BlockingIOError:
            blocked += 1
            await asyncio.sleep(0.001)
    assert written < 1_000_000
    os.close(sink)
    assert len([line async for line in lines]) == written // 2


async def test_lines_are_written_whole_whatever_their_size_and_however_slow_the_reader(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    received = bytearray()

    def read() -> None:
        while chunk := os.read(source, 1000):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    writer = LineWriter(sink, lambda: None)
    lines = [bytes([number]) * size for number, size in ((65, 3), (66, 300_000), (67, 0), (68, 70_000))]
    reader.start()
    await asyncio.gather(*map(writer.write, lines))
    os.close(sink)
    await asyncio.to_thread(reader.join)
    assert sorted(bytes(received).splitlines()) == sorted(lines)


async def test_a_reader_that_goes_away_is_told_once_and_later_lines_are_dropped(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    told: list[bool] = []
    writer = LineWriter(sink, lambda: told.append(True))
    os.close(source)
    for _ in range(3):
        await writer.write(b"line")
    assert told == [True]


async def test_a_write_that_is_given_up_leaves_its_line_whole(pipe: tuple[int, int]) -> None:
    source, sink = pipe
    writer = LineWriter(sink, lambda: None)
    impatient = asyncio.create_task(writer.write(b"z" * 200_000))
    await asyncio.sleep(0)
    impatient.cancel()
    following = asyncio.create_task(writer.write(b"after"))
    received = b""
    while not received.endswith(b"after\n"):
        received += await asyncio.to_thread(os.read, source, 65536)
    await following
    assert received == b"z" * 200_000 + b"\nafter\n"

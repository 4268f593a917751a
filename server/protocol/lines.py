"""Whole lines from and to file descriptors: pipes, sockets, files and terminals alike, so threads do the blocking.

The event loop's own pipes refuse plain files, and would make descriptors non-blocking that other processes share.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import AsyncIterator, Callable
from typing import Final

CHUNK_BYTES: Final = 64 * 1024
CHUNKS_AHEAD: Final = 4


class LineSplitter:
    """Cuts a stream into lines; of one longer than `limit` bytes nothing is kept, and None stands for it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that `chunk` completes, without their ends."""
        *ended, rest = chunk.split(b"\n")
        lines = []
        for part in ended:
            self._add(part)
            lines.append(self._take())
        self._add(rest)
        return lines

    def end(self) -> list[bytes | None]:
        """The last line, where the stream ended without ending it."""
        return [self._take()] if self._size else []

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            self._parts.clear()
        else:
            self._parts.append(part)

    def _take(self) -> bytes | None:
        line = b"".join(self._parts) if self._size <= self._limit else None
        self._parts.clear()
        self._size = 0
        return line


async def read_lines(descriptor: int, limit: int) -> AsyncIterator[bytes | None]:
    """The lines that arrive, None for each that is longer than `limit` bytes, until the stream ends or fails."""
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes] = asyncio.Queue()
    ahead = threading.Semaphore(CHUNKS_AHEAD)

    def read() -> None:
        while ahead.acquire():
            try:
                chunk = os.read(descriptor, CHUNK_BYTES)
            except OSError:
                chunk = b""
            if not (_tell(loop, chunks.put_nowait, chunk) and chunk):
                return

    # A daemon: the process must be able to end while it waits for input that never comes.
    threading.Thread(target=read, name="stdin", daemon=True).start()
    splitter = LineSplitter(limit)
    while chunk := await chunks.get():
        ahead.release()
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.end():
        yield line


class LineWriter:
    """Writes lines, each whole and in turn. `on_closed` is called once when nobody reads them any more."""

    def __init__(self, descriptor: int, on_closed: Callable[[], object]) -> None:
        self._descriptor = descriptor
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[tuple[bytes, asyncio.Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="stdout", daemon=True).start()

    async def write(self, line: bytes) -> None:
        """Return when the line is written, or dropped because nobody reads any more."""
        written = self._loop.create_future()
        self._lines.put((line + b"\n", written))
        await written

    def _run(self) -> None:
        closed = False
        while True:
            line, written = self._lines.get()
            try:
                while line and not closed:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                closed = True
                _tell(self._loop, self._on_closed)
            if not _tell(self._loop, _finish, written):
                return


def _finish(written: asyncio.Future[None]) -> None:
    if not written.done():
        written.set_result(None)


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *arguments: object) -> bool:
    """Whether the loop, which ends when the process does, was there to be told."""
    try:
        loop.call_soon_threadsafe(callback, *arguments)
    except RuntimeError:
        return False
    return True

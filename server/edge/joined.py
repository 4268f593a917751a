"""A response's head and body in one write: uvicorn makes two, and each costs the kernel as much as the other."""

from __future__ import annotations

import asyncio
from typing import Any, Final

HEAD: Final = b"HTTP/1.1 "
HEAD_END: Final = b"\r\n\r\n"


class JoinedTransport:
    """A connection that keeps the head of a response back until more is written, until the loop's turn ends at most.

    Everything else is the connection's own.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._turn: asyncio.Handle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write `data`, after the head that was kept back; or keep it back, if it is a head and nothing more."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
            self._transport.write(self._head + data)
        elif data.startswith(HEAD) and data.endswith(HEAD_END):
            self._head = data
            self._turn = self._loop.call_soon(self._write_head)
        else:
            self._transport.write(data)

    def write_eof(self) -> None:
        """End what is written, after the head that was kept back."""
        self._let_go()
        self._transport.write_eof()

    def close(self) -> None:
        """Close, after the head that was kept back."""
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._write_head()

    def _write_head(self) -> None:
        self._turn = None
        self._transport.write(self._head)

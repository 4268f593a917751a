"""Event streams: what a handler says before its result, and then the result, each as one server-sent event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from server.protocol.dispatch import Answer
from server.protocol.exchange import Channel

EVENT_STREAM: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


async def events(channel: Channel, first: bytes, answer: asyncio.Task[Answer | None]) -> AsyncIterator[bytes]:
    """The message that was said first, those that follow, and the answer once it is there."""
    yield _event(first)
    while not (answer.done() and channel.outbox.empty()):
        following = asyncio.create_task(channel.outbox.get())
        await asyncio.wait({answer, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            yield _event(following.result())
        else:
            following.cancel()
    whole = answer.result()
    if whole is not None:
        yield _event(whole.body)


def _event(data: bytes) -> bytes:
    return b"event: message\ndata: " + data + b"\n\n"

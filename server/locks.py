"""One at a time per key: locks that exist only while someone holds or awaits them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class BusyError(TimeoutError):
    """The lock was not free in time."""


class KeyedLocks:
    """A lock per key, first come first served."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, key: Hashable, patience: float) -> AsyncIterator[None]:
        """Hold the lock of `key`. Raises BusyError when it is not free within `patience` seconds."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            try:
                async with asyncio.timeout(patience):
                    await lock.acquire()
            except TimeoutError:
                raise BusyError(str(key)) from None
            try:
                yield
            finally:
                lock.release()
        finally:
            lock, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)

"""How many calls may be in flight to one account, so that a store that hangs cannot use up all connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from server.clock import Monotonic

# At 3 calls a second more are of use only while OrderDesk hangs.
PLACES: Final = 10
# Where every place is held for so long, one call more may go and find out whether OrderDesk answers again.
EXTRA_SECONDS: Final = 5.0
# At 3 a second the last of so many waits longer than any deadline in use; more would only fill the memory.
WAITING: Final = 500


class NoPlaceError(Exception):
    """No place came free in time, or too many wait for one."""


class Places:
    """The places of one account, first come first served.

    An answer to an extra call shows that OrderDesk is back: what still hangs from before no longer counts, because
    those who call now should not wait for it. So at most PLACES calls hang for every EXTRA_SECONDS of a time-out.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._held: set[object] = set()
        self._taken = 0.0
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._waiting = 0

    @asynccontextmanager
    async def held(self, patience: float, check: Callable[[], None]) -> AsyncIterator[bool]:
        """Hold a place; yields whether it is an extra one. Raises NoPlaceError after `patience` seconds without.

        `check` is called whenever something changed for those who wait; what it raises ends the wait.
        """
        place = await self._take(patience, check)
        try:
            yield len(self._held) > PLACES
        finally:
            self._held.discard(place)
            self._changed.set()

    def forget(self) -> None:
        """OrderDesk is back: no place is held any more."""
        self._held.clear()
        self._changed.set()

    def look(self) -> None:
        """Let those who wait call their `check`."""
        self._changed.set()

    async def _take(self, patience: float, check: Callable[[], None]) -> object:
        if self._waiting >= WAITING:
            raise NoPlaceError
        self._waiting += 1
        try:
            async with asyncio.timeout(patience), self._turn:
                check()
                while (wait := self._wait()) > 0:
                    self._changed.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._changed.wait()
                    check()
        except TimeoutError:
            raise NoPlaceError from None
        finally:
            self._waiting -= 1
        place = object()
        self._held.add(place)
        self._taken = self._clock()
        return place

    def _wait(self) -> float:
        """Seconds until a call may go, unless a place is given back before."""
        if len(self._held) < PLACES:
            return 0.0
        return self._taken + EXTRA_SECONDS - self._clock()

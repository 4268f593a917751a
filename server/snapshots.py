"""A value read from the database at most once a second, however many calls ask for it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from server.clock import Monotonic

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Snapshots(Generic[K, V]):
    """Loaded values by key, each trusted for `max_age` seconds: what an operator changes shows within that time.

    Concurrent loads of one key are one load. At most `limit` keys are held, the least recently loaded dropped first.
    """

    def __init__(
        self,
        load: Callable[[K], Awaitable[V]],
        *,
        max_age: float = 1.0,
        limit: int = 10_000,
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._load = load
        self._max_age = max_age
        self._limit = limit
        self._clock = clock
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._flights: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K) -> V:
        """The value of `key`, no older than `max_age`."""
        held = self._values.get(key)
        if held is not None and self._clock() - held[0] < self._max_age:
            return held[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(self._load(key))
            flight.add_done_callback(partial(self._landed, key, self._clock()))
        # The first caller may be cancelled; the load goes on for the others.
        return await asyncio.shield(flight)

    def forget(self, key: K) -> None:
        """Drop `key`: the next call loads it, and a load under way is not kept."""
        self._values.pop(key, None)
        self._flights.pop(key, None)

    def _landed(self, key: K, started: float, flight: asyncio.Future[V]) -> None:
        if self._flights.get(key) is not flight:
            if not flight.cancelled():
                flight.exception()
            return
        del self._flights[key]
        if flight.cancelled() or flight.exception() is not None:
            return
        self._values[key] = (started, flight.result())
        self._values.move_to_end(key)
        while len(self._values) > self._limit:
            self._values.popitem(last=False)

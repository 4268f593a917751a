"""The read cache: encoded JSON by tenant and store, one fetch for many askers, only what a write touched dropped."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from server.clock import Monotonic
from server.telemetry.metrics import Metrics
from server.tenancy.stores import Store

ENTRY_OVERHEAD_BYTES: Final = 400
RESOURCE_TYPES: Final = ("orders", "order_lists", "products", "product_lists", "store")


class Key(NamedTuple):
    """What an entry answers. Tenants may share `upstream` (OrderDesk's account), never an entry."""

    upstream: str
    tenant_id: str
    store_row: str
    resource_type: str
    identity: str

    @classmethod
    def of(cls, store: Store, resource_type: str, identity: str) -> Key:
        """The key of something in a tenant's store."""
        return cls(store.upstream, store.tenant_id, store.id, resource_type, identity)


@dataclass(slots=True)
class _Entry:
    value: bytes
    expires: float


class Cache:
    """Values in memory under a byte budget, the least recently used dropped first, and what has expired before any.

    A fetch that began before an invalidation is answered to those who asked for it and not kept.
    """

    def __init__(self, max_bytes: int, metrics: Metrics, clock: Monotonic = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._by_upstream: dict[tuple[str, str], set[Key]] = {}
        # Those of a type live equally long: in the order in which they were kept they expire.
        self._by_age: dict[str, OrderedDict[Key, None]] = {kind: OrderedDict() for kind in RESOURCE_TYPES}
        self._flights: dict[Key, asyncio.Task[bytes]] = {}
        self._bytes = 0
        self._size = metrics.cache_size.labels("memory")
        self._items = {kind: metrics.cache_items.labels(kind) for kind in RESOURCE_TYPES}
        self._count = {
            (operation, kind): metrics.cache_operations.labels(operation, kind)
            for operation in ("hit", "miss", "join", "store", "evict", "expire", "invalidate")
            for kind in RESOURCE_TYPES
        }

    async def get(
        self, key: Key, ttl: float, fetch: Callable[[], Awaitable[bytes]], *, deadline: float | None = None
    ) -> tuple[bytes, bool]:
        """The value of `key` and whether it came from the cache. `fetch` runs once for all who ask meanwhile.

        What `fetch` raises reaches everyone who waited for it; nothing is kept then. Raises TimeoutError when it is
        not there by `deadline` (on the monotonic clock).
        """
        entry = self._entries.get(key)
        if entry is not None:
            if self._clock() < entry.expires:
                self._entries.move_to_end(key)
                self._count["hit", key.resource_type].inc()
                return entry.value, True
            self._expire(key)
        flight = self._flights.get(key)
        if flight is None:
            self._count["miss", key.resource_type].inc()
            flight = self._flights[key] = asyncio.create_task(self._fly(key, ttl, fetch))
            flight.add_done_callback(_read_exception)
        else:
            self._count["join", key.resource_type].inc()
        # One asker's disconnect must not fail the others.
        async with asyncio.timeout(None if deadline is None else deadline - self._clock()):
            return await asyncio.shield(flight), False

    def invalidate(self, upstream: str, resource_type: str, identity: str | None = None) -> None:
        """Drop the entry of `identity` (all of the type when None), for every tenant of that OrderDesk account."""
        for key in [
            key for key in self._by_upstream.get((upstream, resource_type), ()) if identity in (None, key.identity)
        ]:
            self._drop(key)
            self._count["invalidate", resource_type].inc()
        for key in [
            key
            for key in self._flights
            if key.upstream == upstream and key.resource_type == resource_type and identity in (None, key.identity)
        ]:
            del self._flights[key]

    def probe(self) -> bool:
        """Whether a value written is read back: the cache's own health check."""
        key = Key("", "", "", RESOURCE_TYPES[0], "probe")
        self._entries[key] = _Entry(b"1", self._clock() + 1)
        return self._entries.pop(key).value == b"1"

    async def _fly(self, key: Key, ttl: float, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        this = asyncio.current_task()
        started = self._clock()
        try:
            value = await fetch()
            if self._flights.get(key) is this and ttl > 0 and _size(key, value) <= self._max_bytes:
                self._keep(key, value, started + ttl)
                self._count["store", key.resource_type].inc()
            return value
        finally:
            if self._flights.get(key) is this:
                del self._flights[key]

    def _keep(self, key: Key, value: bytes, expires: float) -> None:
        if key in self._entries:
            self._drop(key)
        self._clear_expired()
        self._entries[key] = _Entry(value, expires)
        self._by_age[key.resource_type][key] = None
        self._by_upstream.setdefault((key.upstream, key.resource_type), set()).add(key)
        self._account(key, _size(key, value), 1)
        while self._bytes > self._max_bytes and self._entries:
            oldest = next(iter(self._entries))
            self._drop(oldest)
            self._count["evict", oldest.resource_type].inc()

    def _clear_expired(self) -> None:
        """Drop what nobody can be answered from any more: what is asked for once only would else fill the budget."""
        now = self._clock()
        for by_age in self._by_age.values():
            while by_age and self._entries[oldest := next(iter(by_age))].expires <= now:
                self._expire(oldest)

    def _expire(self, key: Key) -> None:
        self._drop(key)
        self._count["expire", key.resource_type].inc()

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key)
        del self._by_age[key.resource_type][key]
        of_type = self._by_upstream[key.upstream, key.resource_type]
        of_type.discard(key)
        if not of_type:
            del self._by_upstream[key.upstream, key.resource_type]
        self._account(key, -_size(key, entry.value), -1)

    def _account(self, key: Key, size: int, items: int) -> None:
        self._bytes += size
        self._size.set(self._bytes)
        self._items[key.resource_type].inc(items)


def _size(key: Key, value: bytes) -> int:
    """Bytes that an entry holds, about. A list's key carries the client's filters, at up to four bytes a character."""
    return len(value) + max(ENTRY_OVERHEAD_BYTES, 4 * len(key.identity))


def _read_exception(flight: asyncio.Task[bytes]) -> None:
    """A failure that nobody waited for any more is no event-loop warning: those who waited were told."""
    if not flight.cancelled():
        flight.exception()

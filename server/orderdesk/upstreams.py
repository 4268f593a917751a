"""What is kept of each OrderDesk account that is called: its rate limit, its places and its circuit breaker."""

from __future__ import annotations

import time
from collections import OrderedDict

from server.clock import Monotonic
from server.orderdesk.breaker import Breaker
from server.orderdesk.bucket import UpstreamBucket
from server.orderdesk.places import Places


class Upstream:
    """One account, whoever the tenants are that call it."""

    def __init__(self, clock: Monotonic) -> None:
        self.bucket = UpstreamBucket(clock)
        self.places = Places(clock)
        self.breaker = Breaker(clock)


class Upstreams:
    """The accounts by identity; beyond `limit` the longest unused are forgotten."""

    def __init__(self, *, limit: int = 10_000, clock: Monotonic = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._upstreams: OrderedDict[str, Upstream] = OrderedDict()

    def of(self, identity: str) -> Upstream:
        """The account of that identity."""
        upstream = self._upstreams.get(identity)
        if upstream is None:
            upstream = self._upstreams[identity] = Upstream(self._clock)
            if len(self._upstreams) > self._limit:
                self._upstreams.popitem(last=False)
        self._upstreams.move_to_end(identity)
        return upstream

    def open_breakers(self) -> int:
        """How many accounts are held back: OrderDesk was not there for their last calls."""
        return sum(upstream.breaker.is_open for upstream in self._upstreams.values())

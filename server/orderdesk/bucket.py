"""OrderDesk's own rate limit, kept on our side: one bucket per account, whoever the tenant, first come first served."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final

from server.clock import Monotonic

CAPACITY: Final = 20.0
REFILL_PER_SECOND: Final = 3.0
# Calls in flight to one account. At 3 a second more are of use only while it hangs.
PLACES: Final = 10


class UpstreamBusyError(Exception):
    """The wait for a token would outlast the caller's deadline; `seconds` is that wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no token within {seconds:.1f} s")
        self.seconds = seconds


class UpstreamBucket:
    """Tokens of one account: 20, refilled at 3 a second, corrected by what OrderDesk says is left.

    Other integrations drain the same bucket, so `X-Tokens-Remaining` is believed when it is lower than our count.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._tokens = CAPACITY
        self._updated = clock()
        self._closed_until = 0.0
        self._turn = asyncio.Lock()
        self._waiting = 0
        self.places = asyncio.Semaphore(PLACES)

    async def acquire(self, patience: float) -> None:
        """Spend a token, waiting up to `patience` seconds. Raises UpstreamBusyError, at once if hopeless."""
        expected = self._wait(self._waiting + 1)
        if expected > patience:
            raise UpstreamBusyError(expected)
        self._waiting += 1
        try:
            async with asyncio.timeout(patience), self._turn:
                while (wait := self._wait(1)) > 0:  # noqa: ASYNC110 - time passes, nobody signals that
                    await asyncio.sleep(wait)
                self._tokens -= 1
        except TimeoutError:
            raise UpstreamBusyError(self._wait(self._waiting)) from None
        finally:
            self._waiting -= 1

    def observe(self, remaining: int) -> None:
        """OrderDesk said how many tokens it has left."""
        self._refill()
        self._tokens = min(self._tokens, float(remaining))

    def close_for(self, seconds: float) -> None:
        """OrderDesk refused: nothing goes out for `seconds`."""
        self._tokens = min(self._tokens, 0.0)
        self._closed_until = max(self._closed_until, self._clock() + seconds)

    def _wait(self, tokens: int) -> float:
        """Seconds until `tokens` tokens are there."""
        self._refill()
        refill = max(0.0, tokens - self._tokens) / REFILL_PER_SECOND
        return max(refill, self._closed_until - self._clock())

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(CAPACITY, self._tokens + (now - self._updated) * REFILL_PER_SECOND)
        self._updated = now


class UpstreamBuckets:
    """The buckets by account; beyond `limit` the longest unused are forgotten."""

    def __init__(self, *, limit: int = 10_000, clock: Monotonic = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[str, UpstreamBucket] = OrderedDict()

    def of(self, upstream: str) -> UpstreamBucket:
        """The bucket of one account."""
        bucket = self._buckets.get(upstream)
        if bucket is None:
            bucket = self._buckets[upstream] = UpstreamBucket(self._clock)
            if len(self._buckets) > self._limit:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(upstream)
        return bucket

"""OrderDesk's own rate limit, kept on our side: one bucket per account, whoever the tenant, first come first served."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from server.clock import Monotonic

CAPACITY: Final = 20.0
REFILL_PER_SECOND: Final = 3.0


class UpstreamBusyError(Exception):
    """The wait for a token would outlast the caller's deadline; `seconds` is that wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no token within {seconds:.1f} s")
        self.seconds = seconds


class UpstreamBucket:
    """Tokens of one account: 20, refilled at 3 a second, corrected by what OrderDesk says is left.

    Other integrations drain the same bucket, and OrderDesk may grant an account more: so `X-Tokens-Remaining` is
    believed, less what is in flight. A ticket stands for one token spent.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._tokens = CAPACITY
        self._updated = clock()
        self._closed_until = 0.0
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._tickets = 0
        self._newest_answered = 0
        self._in_flight: set[int] = set()

    async def acquire(self, patience: float) -> int:
        """Spend a token, waiting up to `patience` seconds; returns its ticket, to be given to `finish`.

        Raises UpstreamBusyError, at once if hopeless.
        """
        expected = self._wait(self._waiting + 1)
        if expected > patience:
            raise UpstreamBusyError(expected)
        self._waiting += 1
        try:
            async with asyncio.timeout(patience), self._turn:
                while (wait := self._wait(1)) > 0:  # noqa: ASYNC110 - time passes, nobody signals that
                    await asyncio.sleep(wait)
                self._tokens -= 1
                self._tickets += 1
                self._in_flight.add(self._tickets)
                return self._tickets
        except TimeoutError:
            raise UpstreamBusyError(self._wait(self._waiting)) from None
        finally:
            self._waiting -= 1

    def seconds_for(self, requests: int) -> float:
        """How long so many requests, one after the other, would wait for their tokens beside those that wait now."""
        return max(0.0, self._wait(requests * (self._waiting + 1)))

    def observe(self, ticket: int, remaining: int) -> None:
        """The answer to a ticket's request said how many tokens OrderDesk has left.

        An answer that was overtaken by a later request's may only lower the count.
        """
        self._refill()
        left = float(remaining - len(self._in_flight - {ticket}))
        if ticket > self._newest_answered:
            self._newest_answered = ticket
            # OrderDesk tells whole tokens: where it agrees with our count, ours is the finer one.
            if not left <= self._tokens < left + 1:
                self._tokens = min(CAPACITY, left)
        else:
            self._tokens = min(self._tokens, left)

    def finish(self, ticket: int) -> None:
        """The ticket's request is over, answered or not."""
        self._in_flight.discard(ticket)

    def forget(self) -> None:
        """OrderDesk is back after it hung: the requests that it never answered will spend no token any more."""
        self._in_flight.clear()

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

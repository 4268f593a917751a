"""The circuit breaker of one account: while OrderDesk is not there for it, calls fail at once instead of waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from server.clock import Monotonic
from server.errors import UpstreamUnavailableError
from server.limits import retry_after

# Two whole calls with their retries fail before the third opens it: a client alone sees its own error, not a refusal,
# after one bad moment. With traffic a hang shows in one time-out: an account has as many places as this.
FAILURES: Final = 10
# A probe every five seconds: the worst wait after OrderDesk's recovery, and little for a store that stays away.
PROBE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Passage:
    """A call's leave to be sent. `probe`: sent to find out whether OrderDesk is back; `sent`: when, None until then."""

    probe: bool = False
    sent: float | None = None


class Breaker:
    """Opens after FAILURES calls in a row to which OrderDesk was not there; then lets a probe through now and then.

    A probe keeps its whole time-out, for an answer that is slow is an answer; if it hangs, the next one is let through
    beside it. In a row means in the order in which calls were sent: a failure of one that was sent before another was
    answered says nothing about now.
    """

    def __init__(self, clock: Monotonic = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._answered = float("-inf")
        self._next_probe = 0.0
        self.is_open = False

    def enter(self) -> Passage:
        """Leave to be sent. Raises UpstreamUnavailableError at once while open and no probe is due."""
        if not self.is_open:
            return Passage()
        if self._clock() < self._next_probe:
            raise self._refusal()
        self._next_probe = self._clock() + PROBE_SECONDS
        return Passage(probe=True)

    def check(self, passage: Passage) -> None:
        """Raise UpstreamUnavailableError where the breaker opened after `passage` was given."""
        if self.is_open and not passage.probe:
            raise self._refusal()

    def send(self, passage: Passage) -> None:
        """Note that the call leaves now. Raises UpstreamUnavailableError as `check` does: then it must not."""
        self.check(passage)
        passage.sent = self._clock()

    def leave(self, passage: Passage) -> None:
        """The call is over. A probe that was never sent makes room for another."""
        if passage.probe and passage.sent is None:
            self._next_probe = self._clock()

    def answered(self, passage: Passage) -> bool:
        """OrderDesk answered, whatever it said. Returns whether that closed the breaker."""
        assert passage.sent is not None
        self._answered = max(self._answered, passage.sent)
        self._failures = 0
        closed, self.is_open = self.is_open, False
        return closed

    def failed(self, passage: Passage) -> bool:
        """OrderDesk was not there. Returns whether that opened the breaker."""
        assert passage.sent is not None
        if passage.sent < self._answered:
            return False
        self._failures += 1
        if self.is_open or self._failures < FAILURES:
            return False
        self.is_open = True
        self._next_probe = self._clock() + PROBE_SECONDS
        return True

    def _refusal(self) -> UpstreamUnavailableError:
        return UpstreamUnavailableError(
            "OrderDesk did not answer this store's last calls, so none is sent for a moment; nothing was changed.",
            reason="circuit_open",
            retry_after_seconds=retry_after(self._next_probe - self._clock()),
        )

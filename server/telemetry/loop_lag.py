"""How late the event loop is: a timer that asks for a turn again and again, and how long after its time it got one.

Everything the server does takes its turns on this loop, so whatever holds it (a slow handler, a long write of a file, a
processor that others use) shows here, whoever waits for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.telemetry.metrics import Metrics

EVERY_SECONDS: Final = 0.05
"""Often enough to meet whatever holds the loop for as long."""


class LoopLag:
    """Observes the lag in seconds, from `start` to `stop`, both called on the loop."""

    def __init__(self, metrics: Metrics) -> None:
        self._observe = metrics.event_loop_lag.observe
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Ask for the first turn."""
        loop = asyncio.get_running_loop()
        self._ask(loop, loop.time() + EVERY_SECONDS)

    def stop(self) -> None:
        """Ask for no more turns."""
        if self._timer is not None:
            self._timer.cancel()

    def _ask(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._timer = loop.call_at(due, self._tell, loop, due)

    def _tell(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        # A loop counts in milliseconds, and may be early by a part of one.
        self._observe(max(0.0, now - due))
        self._ask(loop, now + EVERY_SECONDS)

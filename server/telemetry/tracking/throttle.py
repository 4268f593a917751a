"""How often the same trouble is reported: an error on every call must cost neither the calls nor Sentry's quota."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from server.clock import Monotonic

REPORTS: Final = 5
SECONDS: Final = 60.0
KINDS: Final = 500


class Throttle:
    """Lets REPORTS of a kind through in SECONDS; remembers the KINDS last seen."""

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def admits(self, kind: Hashable) -> bool:
        """Whether one more of this kind is reported now."""
        now = self._clock()
        began, reported = self._windows.pop(kind, (now, 0))
        if now - began >= SECONDS:
            began, reported = now, 0
        admitted = reported < REPORTS
        self._windows[kind] = began, reported + admitted
        if len(self._windows) > KINDS:
            self._windows.popitem(last=False)
        return admitted

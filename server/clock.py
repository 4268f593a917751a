"""Time as the server uses it: a monotonic clock for durations, wall-clock milliseconds for what is stored."""

from __future__ import annotations

import time
from collections.abc import Callable

Monotonic = Callable[[], float]


def now_milliseconds() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000

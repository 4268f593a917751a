"""Time as the sandbox sees it: a monotonic clock for the bucket, a wall clock for dates; tests pass their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Clock:
    """Two sources of seconds: `monotonic` from any origin, `wall` since 1970-01-01 UTC."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def now(self) -> str:
        """The wall clock as OrderDesk writes dates: UTC, one-second resolution."""
        return date_text(self.wall())


def date_text(seconds: float) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC of seconds since 1970."""
    return time.strftime(DATE_FORMAT, time.gmtime(seconds))


def parse_date(text: str) -> str:
    """OrderDesk's form of a date or a date and time, a bare date meaning its midnight. Raises ValueError."""
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return moment.strftime(DATE_FORMAT)

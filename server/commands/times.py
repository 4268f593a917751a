"""Times as operators write and read them: 90d, 24h, 15m, 30s; dates in UTC unless they say otherwise."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from typing import Final

SHAPE: Final = re.compile(r"(\d{1,4})([smhdw])\Z", re.ASCII)
MILLISECONDS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


def duration(text: str) -> int:
    """Milliseconds. Raises ArgumentTypeError."""
    shape = SHAPE.match(text.strip())
    if shape is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write it like 90d, 24h, 15m or 30s")
    return int(shape[1]) * MILLISECONDS[shape[2]]


def time_to_come(text: str) -> int:
    """Milliseconds, at least a second. Raises ArgumentTypeError."""
    milliseconds = duration(text)
    if milliseconds == 0:
        raise argparse.ArgumentTypeError(f"{text!r} would be over at once; write it like 90d, 24h, 15m or 30s")
    return milliseconds


def moment(text: str) -> int:
    """Milliseconds since the epoch. Raises ArgumentTypeError."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date; write it like 2030-01-31 or 2030-01-31T18:00 (UTC)"
        ) from None
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if aware > LATEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too late to be meant")
    return round(aware.timestamp() * 1000)


def shown(milliseconds: int | None, absent: str = "-") -> str:
    """A stored time for a person."""
    return absent if milliseconds is None else f"{_utc(milliseconds):%Y-%m-%d %H:%M:%S} UTC"


def cell(milliseconds: int | None, absent: str = "-") -> str:
    """A stored time in a table, whose head says that it is in UTC: to the minute, so that a line fits a screen."""
    return absent if milliseconds is None else f"{_utc(milliseconds):%Y-%m-%d %H:%M}"


def encoded(milliseconds: int | None) -> str | None:
    """A stored time for JSON: ISO 8601 with milliseconds, UTC."""
    return None if milliseconds is None else _utc(milliseconds).isoformat(timespec="milliseconds")


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

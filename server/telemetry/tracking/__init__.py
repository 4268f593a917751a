"""Error tracking: what no code expected, told to a Sentry by its kind and place and by nothing that anybody sent us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.settings import Settings
    from server.telemetry.tracking.tracker import Tracker


@contextmanager
def tracking(settings: Settings) -> Iterator[Tracker | None]:
    """What reports errors until the block ends; None without SENTRY_DSN, and then nothing of Sentry is imported.

    An exception that ends the block is reported and raised again.
    """
    if settings.sentry_dsn is None:
        yield None
        return
    from server.telemetry.tracking.tracker import Tracker  # noqa: PLC0415 - 350 modules that nobody else needs

    tracker = Tracker(settings)
    try:
        yield tracker
    except Exception as error:
        tracker.report({"event": "server.crashed", "level": "critical"}, error)
        raise
    finally:
        tracker.close()

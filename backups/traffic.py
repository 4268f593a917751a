"""Keep updating orders through the live server, and remember which updates it acknowledged."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backups.errors import BackupError
from harness.client import Client
from harness.errors import HarnessError
from harness.targets import RunningTarget

LIMIT = 50
"""Updates at most: a snapshot that hangs must not fill the database."""
CALL_SECONDS = 30.0


@dataclass(frozen=True)
class Update:
    """An update that the server acknowledged; `began` and `ended` are monotonic seconds around the call."""

    request_id: str
    began: float
    ended: float


@dataclass(frozen=True)
class Acknowledged:
    """Request ids of updates that the live server acknowledged: `before` a snapshot began, and `later`.

    What was acknowledged later may be in the snapshot, or not.
    """

    before: frozenset[str]
    later: frozenset[str]


class Updates:
    """What a thread of updates has come to so far."""

    def __init__(self) -> None:
        self._acknowledged: list[Update] = []
        self._in_flight = False
        self._ending: str | None = None
        self._changed = threading.Condition()

    def acknowledged(self) -> tuple[Update, ...]:
        """Every update that was answered with success by now, in order."""
        with self._changed:
            return tuple(self._acknowledged)

    def wait_for(self, count: int, *, seconds: float) -> tuple[Update, ...]:
        """Return `acknowledged()` once there are at least `count`, and one more is in flight.

        Raises BackupError when there are not so many in time.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (len(self._acknowledged) >= count and self._in_flight) or self._ending is not None, seconds
            )
            if len(self._acknowledged) < count:
                why = self._ending or f"no more within {seconds:g} s"
                raise BackupError(f"{len(self._acknowledged)} updates were acknowledged, {count} needed: {why}")
            return tuple(self._acknowledged)

    def begin(self) -> None:
        """The next one is about to be sent."""
        with self._changed:
            self._in_flight = True
            self._changed.notify_all()

    def add(self, update: Update) -> None:
        """It was acknowledged."""
        with self._changed:
            self._in_flight = False
            self._acknowledged.append(update)

    def end(self, reason: str) -> None:
        """No more will come."""
        with self._changed:
            self._ending = reason
            self._changed.notify_all()


@contextlib.contextmanager
def updating(target: RunningTarget, order_ids: Sequence[str], *, label: str) -> Iterator[Updates]:
    """Update these orders in turn, one call at a time in a thread, until the block ends or LIMIT is reached.

    The `label` tells these updates from all earlier ones: an update that changes nothing is answered, but not written.
    """
    updates, stop = Updates(), threading.Event()

    def work() -> None:
        try:
            with target.connect(timeout_seconds=CALL_SECONDS) as client:
                for number, order_id in zip(range(LIMIT), itertools.cycle(order_ids), strict=False):
                    if stop.is_set():
                        break
                    updates.begin()
                    updates.add(_update(client, order_id, f"Written during backup {label}, {number}"))
            updates.end("the updates came to their end")
        except HarnessError as error:
            updates.end(str(error))
        except Exception as error:  # noqa: BLE001 -- a thread's error must reach whoever waits for it
            updates.end(f"internal error, {type(error).__name__}: {error}")

    thread = threading.Thread(target=work, name="updates")
    thread.start()
    try:
        yield updates
    finally:
        stop.set()
        thread.join()


def _update(client: Client, order_id: str, note: str) -> Update:
    arguments = {"order_id": order_id, "changes": {"order_notes": [note]}}
    began = time.monotonic()
    outcome = client.call_tool("orders_update", arguments)
    ended = time.monotonic()
    if outcome.is_error or outcome.request_id is None:
        raise BackupError(f"orders_update was refused: {outcome.text[:300]}")
    return Update(outcome.request_id, began, ended)

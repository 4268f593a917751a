"""What the sandbox answered and what it really changed, in the order it happened: the truth tests compare with."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.sandbox.fields import Record


@dataclass(frozen=True, slots=True)
class Change:
    """One applied change: `fields` maps each field that differs to its value before and after (null where absent)."""

    resource: str
    id: str
    operation: str
    fields: dict[str, dict[str, Any]]


@dataclass(slots=True)
class Entry:
    """One request as it was answered (`kind` "request"), or one change by another integration (`kind` "foreign").

    `status` is None and `answered` False when the connection was dropped instead of an answer; `applied` says whether
    `changes` happened all the same. Times in seconds: `monotonic` from any origin, `wall` since 1970.
    """

    sequence: int
    kind: str
    monotonic: float
    wall: float
    store_id: str
    method: str
    path: str
    query: str
    order_id: str | None
    status: int | None
    answered: bool
    applied: bool
    changes: Sequence[Change]
    faults: Sequence[str]
    request_id: str | None


class Journal:
    """The last `limit` entries. Sequence numbers start at 1, have no gaps, and go on after `clear`."""

    def __init__(self, limit: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self.last_sequence = 0

    def append(self, entry: Entry) -> None:
        """Keep an entry, whose sequence number must be the next one; the oldest goes when there are `limit`."""
        self.last_sequence = entry.sequence
        self._entries.append(entry)

    def page(self, *, since: int, limit: int) -> Record:
        """Up to `limit` entries after sequence number `since`, and how many after it are no longer kept.

        A reader that is told `dropped` > 0 has lost evidence: a longer journal or earlier reading is needed.
        """
        first_kept = self.last_sequence - len(self._entries) + 1
        start = max(0, since + 1 - first_kept)
        return {
            "entries": list(islice(self._entries, start, start + limit)),
            "last_sequence": self.last_sequence,
            "dropped": max(0, first_kept - 1 - since),
        }

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()


def change(resource: str, before: Record | None, after: Record | None) -> Change:
    """The change between two states of a record, one of which may be None: created or deleted."""
    old, new = before or {}, after or {}
    fields = {
        name: {"before": old.get(name), "after": new.get(name)}
        for name in {**old, **new}
        if name not in old or name not in new or old[name] != new[name]
    }
    operation = "create" if before is None else "delete" if after is None else "update"
    return Change(resource, str((after or old)["id"]), operation, fields)

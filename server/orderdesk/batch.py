"""Batches: what OrderDesk answers for each entry of one, believed only where it is clear which entry is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.errors import WriteUncertainError
from server.orderdesk.kinds import Kind, Reference
from server.orderdesk.merge import differences
from server.orderdesk.messages import impersonal

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject
    from server.writes.operation import Plan

# With how many more there are, within the 64 characters of a target.
FIRST_LENGTH: Final = 48
# What would become of an entry, in a dry run.
PLANNED: Final = "planned"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry: `message` is what OrderDesk says, `answer` all that it said of the entry."""

    done: bool
    message: str
    answer: JsonObject


def outcomes(body: dict[str, Any], id_name: str, ids: Sequence[str]) -> list[Outcome]:
    """One outcome for each entry that was sent, in their order; `ids` are theirs, `id_name` is what answers call them.

    OrderDesk answers a batch with `results`, a status per entry inside HTTP 200. Raises WriteUncertainError where these
    are not one success or error for each entry: some may have been carried out, and nobody knows which.
    """
    results = body.get("results")
    if not isinstance(results, list) or len(results) != len(ids):
        raise _unclear()
    return [_outcome(result, id_name, entry_id) for result, entry_id in zip(results, ids, strict=True)]


def _outcome(result: object, id_name: str, entry_id: str) -> Outcome:
    if not isinstance(result, dict) or result.get("status") not in {"success", "error"}:
        raise _unclear()
    if str(result.get(id_name, entry_id)) != entry_id:
        raise _unclear()
    return Outcome(result["status"] == "success", impersonal(result.get("message")), result)


def _unclear() -> WriteUncertainError:
    return WriteUncertainError("OrderDesk's answer does not tell what became of each entry of the batch.")


def unshown(entry_ids: Sequence[str], **details: Any) -> WriteUncertainError:
    """The error of a batch that OrderDesk confirmed and does not show."""
    return WriteUncertainError(
        f"OrderDesk confirmed the batch, but does not show it of: {', '.join(entry_ids)}. Read them.", **details
    )


def changes(kind: Kind, plan: Plan) -> list[JsonObject]:
    """The differences that a plan makes whose `before` and `after` are objects of a kind by their ids."""
    return [
        line
        for key, before in plan.before.items()
        for line in differences(Reference(kind, (key,)).name, before, plan.after[key])
    ]


def target(ids: Sequence[str]) -> str:
    """What audit rows say was written: the first object by its number, and how many more.

    What a client gave as an id among others may be anything.
    """
    more = len(ids) - 1
    first = next(filter(str.isdecimal, ids), "unknown")
    return first[:FIRST_LENGTH] + (f" and {more} more" if more else "")


def summary(counts: dict[str, int], kind: str) -> str:
    """A sentence such as "2 of 3 shipments added, 1 failed"; the first count is the one that was asked for."""
    (status, count), *others = counts.items()
    told = [f"{count} of {sum(counts.values())} {kind} {status}", *(f"{more} {name}" for name, more in others if more)]
    return ", ".join(told)

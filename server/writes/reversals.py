"""How each tool's write is taken back, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError
from server.orderdesk.kinds import COMPUTED, GIVEN, ITEM, ORDER, PRODUCT, SHIPMENT, Kind, Reference
from server.orderdesk.merge import alike
from server.orderdesk.move import Move
from server.orderdesk.operation import renewed
from server.orderdesk.remove import Remove
from server.orderdesk.restore import Restore
from server.orderdesk.shown import grown
from server.writes.operation import Operation, Plan, Revise

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.orderdesk.desk import Seat
    from server.orderdesk.merge import JsonObject
    from server.writes.ledger import WriteLedger

REVERT: Final = "writes_revert"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger kept of a write: the ids of its target, its plan, and what the client was told, if it was.

    The plan alone says what the write changed: a result may have been looked up later, and hold others' changes.
    """

    ids: tuple[str, ...]
    plan: Plan
    result: dict[str, Any]

    def told(self, name: str) -> Any:
        """A member of the result. Raises ConflictError where there is none."""
        if name not in self.result:
            raise ConflictError(
                "its result was not seen: an operator settled it; look at OrderDesk, and take it back there"
            )
        return self.result[name]


Reversal = Callable[["Seat", Kept], tuple[Operation, ...]]
"""The operations that take a write back: one for each object, each with a target of its own."""


@dataclass(frozen=True, kw_only=True)
class RemoveUnchanged(Remove):
    """An operation that deletes what a write created, unless somebody changed it since; asked before each attempt.

    Ids, dates and what OrderDesk computes may differ; with `whole`, whatever else `created` does not name may not.
    """

    created: JsonObject
    whole: bool = True

    async def plan(self) -> Plan:
        """The object, then nothing. Raises ConflictError where it is not as it was created, NotFoundError."""
        plan = await super().plan()
        self._refuse_changed(plan.before)
        return plan

    def _refuse_changed(self, found: JsonObject) -> None:
        names = {**self.created, **(found if self.whole else {})}
        kept = _kept_by_orderdesk(self.reference.kind)
        changed = [name for name in names if name not in kept and not alike(found.get(name), self.created.get(name))]
        if changed:
            raise ConflictError(
                f"{self._name} was changed since it was created: {', '.join(changed)}. Nothing was deleted.",
                fields=changed,
            )


@dataclass(frozen=True, kw_only=True)
class MoveBack(Move):
    """An operation that moves an order back, unless somebody moved it on since. Folder rules run once more."""

    moved_to: str

    async def plan(self) -> Plan:
        """The order now and in the folder that it came from. Raises ConflictError, NotFoundError."""
        plan = await super().plan()
        self._refuse_elsewhere(plan.before)
        return plan

    def preview(self, plan: Plan) -> dict[str, Any]:
        """As of any move, with what nobody can tell beforehand."""
        return {**super().preview(plan), "note": "the folder's rules run again: what they change is not foreseen"}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Move it, looked at again before each attempt."""
        return await super().apply(await renewed(plan, self.plan, revise), revise)

    def _refuse_elsewhere(self, found: Mapping[str, JsonObject | None]) -> None:
        elsewhere = [
            order_id
            for order_id, order in found.items()
            if order is None or str(order.get("folder_id")) != self.moved_to
        ]
        if elsewhere:
            raise ConflictError(
                f"Moved on or deleted since: {', '.join(elsewhere)}. Nothing was moved back.", order_ids=elsewhere
            )


def reversal_of(seat: Seat, row: Row[Any], ledger: WriteLedger) -> tuple[Operation, ...]:
    """The operations that take a write of the ledger back. Raises ConflictError that says why there are none."""
    if row.tool not in REVERSALS:
        raise ConflictError(IRREVERSIBLE.get(row.tool, f"this release has no tool {row.tool}"))
    if row.sealed_plan is None:
        raise ConflictError("it was recorded by a release that kept no before-images")
    kept = ledger.opened(row, "sealed_plan")
    plan = Plan(kept.get("before"), kept.get("after"))
    return REVERSALS[row.tool](seat, Kept(tuple(row.target.split("/")), plan, ledger.opened(row, "sealed_result")))


def _changed(kind: Kind) -> Reversal:
    def reversal(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
        shown = kept.result.get(kind.title.lower(), {})
        return (_restore(seat, kind, kept.ids, kept.plan.before, kept.plan.after, shown),)

    return reversal


def _restore(
    seat: Seat, kind: Kind, ids: tuple[str, ...], before: JsonObject, after: JsonObject, shown: JsonObject
) -> Restore:
    return Restore(seat, Reference(kind, ids), lambda _current: {}, before=before, after=after, shown=shown)


def _batch_changed(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    updated = [line["product_id"] for line in kept.told("results") if line["status"] == "updated"]
    return tuple(
        _restore(seat, PRODUCT, (product_id,), kept.plan.before[product_id], kept.plan.after[product_id], {})
        for product_id in updated
    )


def _created(kind: Kind, sent: Callable[[Any], JsonObject]) -> Reversal:
    """`sent` finds in a plan's `after` what was to be created."""

    def reversal(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
        created = kept.told(kind.title.lower())
        reference = Reference(kind, (*kept.ids[: kind.template.count("{id}") - 1], str(created["id"])))
        changed = grown(kind.rules, sent(kept.plan.after), created, _kept_by_orderdesk(kind))
        if changed:  # in a result that was looked up later
            raise ConflictError(
                f"{kind.title} {reference.id} was changed since it was created: {', '.join(changed)}.", fields=changed
            )
        return (RemoveUnchanged(seat, reference, created=created),)

    return reversal


def _batch_added(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    added = {number: line for number, line in enumerate(kept.told("results"), 1) if line["status"] == "added"}
    nameless = [line["order_id"] for line in added.values() if not line.get("shipment_id")]
    if nameless:
        raise ConflictError(f"OrderDesk did not say which shipments it added to: {', '.join(nameless)}")
    return tuple(
        RemoveUnchanged(
            seat,
            Reference(SHIPMENT, (line["order_id"], str(line["shipment_id"]))),
            created=kept.plan.after[line["order_id"]][f"new {number}"],
            whole=False,  # OrderDesk did not show the rest
        )
        for number, line in added.items()
    )


def _moved(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    return tuple(
        MoveBack(
            seat,
            (line["order_id"],),
            partial(_known, line["original_folder_id"]),
            moved_to=str(kept.told("folder_id")),
        )
        for line in kept.told("results")
        if line["status"] == "moved"
    )


async def _known(folder_id: str) -> str:
    return folder_id


def _kept_by_orderdesk(kind: Kind) -> frozenset[str]:
    """What may differ in an object that nobody changed: ids, dates, computed totals."""
    computed = {name for name, reason in kind.rules.read_only.items() if reason == COMPUTED}
    return frozenset({*GIVEN, "order_id", *computed})


REVERSALS: Final[Mapping[str, Reversal]] = {
    "orders_update": _changed(ORDER),
    "orders_add_note": _changed(ORDER),
    "orders_create": _created(ORDER, lambda after: after),
    "orders_move": _moved,
    "order_items_update": _changed(ITEM),
    "order_items_add": _created(ITEM, lambda after: after["item"]),
    "shipments_update": _changed(SHIPMENT),
    "shipments_add": _created(SHIPMENT, lambda after: after["new"]),
    "shipments_batch": _batch_added,
    "products_update": _changed(PRODUCT),
    "products_adjust_stock": _changed(PRODUCT),
    "products_batch_update": _batch_changed,
    "products_create": _created(PRODUCT, lambda after: after),
}
GONE: Final = "what is deleted comes back under another id only; writes show tells what it was"
OURS: Final = (
    "it changed this server's own list of stores; use the tools stores_register, stores_use_store, stores_delete"
)
IRREVERSIBLE: Final[Mapping[str, str]] = {
    "orders_delete": GONE,
    "order_items_delete": GONE,
    "shipments_delete": GONE,
    "products_delete": GONE,
    "orders_add_history": "OrderDesk's history can only be added to",
    "stores_register": OURS,
    "stores_use_store": OURS,
    "stores_delete": OURS,
    REVERT: "it is itself a revert; repeat the change instead",
}

"""How each tool's write is taken back, or why it cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError
from server.orderdesk.kinds import ITEM, ORDER, PRODUCT, SHIPMENT, Kind, Reference
from server.orderdesk.merge import shows
from server.orderdesk.move import Move
from server.orderdesk.remove import Remove
from server.orderdesk.restore import Restore
from server.writes.operation import Operation, Plan

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat
    from server.orderdesk.merge import JsonObject

REVERT: Final = "writes_revert"


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger kept of a write: the ids of its target, its plan, and what the client was told."""

    ids: tuple[str, ...]
    plan: Plan
    result: dict[str, Any]


Reversal = Callable[["Seat", Kept], tuple[Operation, ...]]


@dataclass(frozen=True, kw_only=True)
class RemoveUnchanged(Remove):
    """An operation that deletes what a write created, unless somebody changed it since."""

    created: JsonObject

    async def plan(self) -> Plan:
        """The object, then nothing. Raises ConflictError where it is not as it was created, NotFoundError."""
        plan = await super().plan()
        kept = self.reference.kind.rules.read_only
        changed = [
            name for name, value in self.created.items() if name not in kept and not shows(plan.before, {name: value})
        ]
        if changed:
            raise ConflictError(
                f"{self._name} was changed since it was created: {', '.join(changed)}. Nothing was deleted.",
                fields=changed,
            )
        return plan


@dataclass(frozen=True, kw_only=True)
class MoveBack(Move):
    """An operation that moves orders back, unless somebody moved them on since. Folder rules run once more."""

    moved_to: str

    async def plan(self) -> Plan:
        """The orders now and in the folder that they came from. Raises ConflictError, NotFoundError."""
        plan = await super().plan()
        elsewhere = [
            order_id
            for order_id, order in plan.before.items()
            if order is None or str(order.get("folder_id")) != self.moved_to
        ]
        if elsewhere:
            raise ConflictError(
                f"Moved on or deleted since: {', '.join(elsewhere)}. Nothing was moved back.", order_ids=elsewhere
            )
        return plan


def _changed(kind: Kind) -> Reversal:
    def reversal(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
        # As OrderDesk showed it after the write, where it did: it writes numbers its own way.
        after = kept.result.get(kind.title.lower()) or kept.plan.after
        return (_restore(seat, kind, kept.ids, kept.plan.before, after),)

    return reversal


def _restore(seat: Seat, kind: Kind, ids: tuple[str, ...], before: JsonObject, after: JsonObject) -> Restore:
    return Restore(seat, Reference(kind, ids), lambda _current: {}, before=before, after=after)


def _batch_changed(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    return tuple(
        _restore(
            seat,
            PRODUCT,
            (line["product_id"],),
            *(of[line["product_id"]] for of in (kept.plan.before, kept.plan.after)),
        )
        for line in kept.result["results"]
        if line["status"] == "updated"
    )


def _created(kind: Kind) -> Reversal:
    def reversal(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
        created = kept.result[kind.title.lower()]
        parents = kept.ids[: kind.template.count("{id}") - 1]
        return (RemoveUnchanged(seat, Reference(kind, (*parents, str(created["id"]))), created=created),)

    return reversal


def _batch_added(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    added = [line for line in kept.result["results"] if line["status"] == "added"]
    nameless = [line["order_id"] for line in added if not line.get("shipment_id")]
    if nameless:
        raise ConflictError(f"OrderDesk did not say which shipments it added to: {', '.join(nameless)}")
    return tuple(
        RemoveUnchanged(
            seat,
            Reference(SHIPMENT, (line["order_id"], str(line["shipment_id"]))),
            created={"tracking_number": line["tracking_number"]},
        )
        for line in added
    )


def _moved(seat: Seat, kept: Kept) -> tuple[Operation, ...]:
    origins: dict[str, list[str]] = {}
    for line in kept.result["results"]:
        if line["status"] == "moved":
            origins.setdefault(line["original_folder_id"], []).append(line["order_id"])
    return tuple(
        MoveBack(
            seat,
            tuple(order_ids),
            partial(_known, folder_id),
            objects=len(order_ids),
            moved_to=str(kept.result["folder_id"]),
        )
        for folder_id, order_ids in origins.items()
    )


async def _known(folder_id: str) -> str:
    return folder_id


REVERSALS: Final[Mapping[str, Reversal]] = {
    "orders_update": _changed(ORDER),
    "orders_add_note": _changed(ORDER),
    "orders_create": _created(ORDER),
    "orders_move": _moved,
    "order_items_update": _changed(ITEM),
    "order_items_add": _created(ITEM),
    "shipments_update": _changed(SHIPMENT),
    "shipments_add": _created(SHIPMENT),
    "shipments_batch": _batch_added,
    "products_update": _changed(PRODUCT),
    "products_adjust_stock": _changed(PRODUCT),
    "products_batch_update": _batch_changed,
    "products_create": _created(PRODUCT),
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

"""Reverts rehearsed one after another: each finds OrderDesk as those before it would have left it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.errors import NotFoundError
from server.orderdesk.desk import Seat
from server.orderdesk.kinds import ITEM, ORDER, Reference
from server.orderdesk.move import Move
from server.orderdesk.operation import ObjectOperation
from server.orderdesk.orders import PARTS

if TYPE_CHECKING:
    from server.orderdesk.kinds import Kind
    from server.orderdesk.merge import JsonObject
    from server.tenancy.stores import Store
    from server.writes.operation import Operation, Plan

Place = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """Every object as it would be by now, None where it would be gone; each is read from OrderDesk once.

    What OrderDesk does by itself is not rehearsed: its dates, its totals, the rules of folders.
    """

    objects: dict[Place, JsonObject | None] = field(default_factory=dict)

    def at(self, seat: Seat) -> Seat:
        """The seat, with the objects of the rehearsal in place of OrderDesk's."""
        return RehearsedSeat(seat.desk, seat.call, seat.store, self)

    async def carry_out(self, seat: Seat, operation: Operation, plan: Plan) -> None:
        """Keep what `plan` would leave, in an order's parts as well as in the order. `seat` is the rehearsal's."""
        for reference, before, after in _written(operation, plan):
            self.objects[_place(seat.store, reference)] = after
            if reference.kind is ORDER:
                self._keep_items(seat.store, reference, before, after)
            elif reference.kind.member in PARTS:
                whole = Reference(ORDER, reference.ids[:1])
                self.objects[_place(seat.store, whole)] = _with_part(await seat.fetch(whole), reference, before, after)

    def _keep_items(self, store: Store, order: Reference, before: JsonObject, after: JsonObject | None) -> None:
        """Items alone can be changed through their order."""
        had, has = _parts(before, ITEM), _parts(after, ITEM)
        for item_id in had.keys() | has.keys():
            if had.get(item_id) != has.get(item_id):
                self.objects[_place(store, Reference(ITEM, (*order.ids, item_id)))] = has.get(item_id)


@dataclass(frozen=True, slots=True)
class RehearsedSeat(Seat):
    """A seat whose objects are those of a rehearsal."""

    rehearsal: Rehearsal

    async def fetch(self, reference: Reference) -> JsonObject:
        """The object as it would be by now. Raises NotFoundError."""
        objects, place = self.rehearsal.objects, _place(self.store, reference)
        if place not in objects:
            objects[place] = await Seat.fetch(self, reference)
        found = objects[place]
        if found is None:
            raise NotFoundError(f"{reference.name} would be deleted by then.")
        return found


def _place(store: Store, reference: Reference) -> Place:
    return store.upstream, reference.kind.template, reference.ids


def _written(operation: Operation, plan: Plan) -> Iterator[tuple[Reference, JsonObject, JsonObject | None]]:
    """What an operation writes: each object, before and after. Raises TypeError for one that reverts nothing."""
    if isinstance(operation, Move):
        for order_id, order in plan.before.items():
            if order is not None:
                yield Reference(ORDER, (order_id,)), order, plan.after[order_id]
    elif isinstance(operation, ObjectOperation):
        yield operation.reference, plan.before, plan.after
    else:
        raise TypeError(operation)


def _parts(order: JsonObject | None, kind: Kind) -> dict[str, JsonObject]:
    """The items or shipments that an order shows, by their ids."""
    listed = (order or {}).get(PARTS[kind.member])
    return {str(part["id"]): part for part in listed if "id" in part} if isinstance(listed, list) else {}


def _with_part(order: JsonObject, part: Reference, before: JsonObject, after: JsonObject | None) -> JsonObject:
    parts = _parts(order, part.kind)
    if part.id not in parts:
        return order
    if after is None:
        del parts[part.id]
    else:
        parts[part.id] = _moved_on(parts[part.id], before, after)
    return {**order, PARTS[part.kind.member]: list(parts.values())}


def _moved_on(shown: Mapping[str, Any], before: JsonObject, after: JsonObject) -> JsonObject:
    """A part as its order shows it, which may be with other fields, with what changed in the part."""
    changed = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    kept = {name: value for name, value in shown.items() if name not in changed}
    return kept | {name: after[name] for name in changed if name in after}

"""Adding shipments to many orders at once: what can be added is sent together, and each entry has its own outcome."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError, NotFoundError, OrderDeskError, ToolError
from server.orderdesk.batch import PLANNED, changes, outcomes, summary, target, unshown
from server.orderdesk.kinds import ORDER, SHIPMENT, Reference
from server.orderdesk.operation import StoreOperation, send_renewed
from server.orderdesk.shipments import DUPLICATE, NO_NUMBER, Shipments, arrivals, fits, holder, shipments_of
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject

ENDPOINT: Final = "/batch-shipments"
NUMBER_TAKEN: Final = "The order has a shipment with this tracking number already"
NUMBER_TWICE: Final = "An earlier entry of the batch gives the order this tracking number"
NO_ORDER: Final = "Order Not Found"

Before = Mapping[str, Shipments | None]
"""The shipments of each order, None where there is no such order."""


def hindrances(entries: Sequence[JsonObject], before: Before) -> list[str | None]:
    """Why each entry cannot be added to what is there; None where nothing stands in its way."""
    given: set[tuple[str, str]] = set()
    reasons: list[str | None] = []
    for entry in entries:
        order_id, number = entry["order_id"], entry["tracking_number"]
        shipments = before[order_id]
        if shipments is None:
            reasons.append(NO_ORDER)
        elif holder(shipments, number) is not None:
            reasons.append(NUMBER_TAKEN)
        elif number != NO_NUMBER and (order_id, number) in given:
            reasons.append(NUMBER_TWICE)
        else:
            given.add((order_id, number))
            reasons.append(None)
    return reasons


@dataclass(frozen=True)
class AddShipments(StoreOperation):
    """An operation that adds shipments; `entries` are their fields, with the order_id of each.

    An entry that cannot be added keeps none of the others back.
    """

    entries: Sequence[JsonObject]

    @property
    def target(self) -> str:
        """The orders."""
        return target(self._orders)

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """Every order, once."""
        return tuple((self.seat.store.upstream, reference.lock) for reference in self._references)

    async def plan(self) -> Plan:
        """The shipments of every order, then with those that can be added.

        Raises ConflictError or OrderDeskError where none can.
        """
        before = {order_id: await self._shipments(order_id) for order_id in self._orders}
        reasons = hindrances(self.entries, before)
        if None not in reasons:
            raise _none_added(self._result([*map(_failed, reasons)], {})["results"])
        after = {order_id: dict(shipments) if shipments else shipments for order_id, shipments in before.items()}
        for number, (entry, reason) in enumerate(zip(self.entries, reasons, strict=True), 1):
            if reason is None:
                after[entry["order_id"]] = {**(after[entry["order_id"]] or {}), f"new {number}": _fields(entry)}
        return Plan(before, after)

    def preview(self, plan: Plan) -> dict[str, Any]:
        """The shipments that each order would get, and which entries could not be added."""
        reasons = hindrances(self.entries, plan.before)
        results = self._named([_planned() if reason is None else _failed(reason) for reason in reasons])
        return {"changes": changes(ORDER, plan), "results": results, "failed": len(reasons) - reasons.count(None)}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """POST those that can be added. Raises ConflictError or OrderDeskError where OrderDesk added none."""
        return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if everything that was sent is there."""
        reasons = hindrances(self.entries, plan.before)
        found, absent = await self._arrivals(plan.before, dict.fromkeys(_places(reasons)))
        return None if absent else self._result([*map(_failed, reasons)], found)

    async def _send(self, plan: Plan) -> dict[str, Any]:
        reasons = hindrances(self.entries, plan.before)
        sent = {place: self.entries[place] for place in _places(reasons)}
        answer = await self.seat.attempt("POST", ENDPOINT, body=[*sent.values()], touches=self._references)
        answered = outcomes(answer, "order_id", [entry["order_id"] for entry in sent.values()])
        results = [*map(_failed, reasons)]
        told = {}
        for place, outcome in zip(sent, answered, strict=True):
            results[place] = _failed(outcome.message or "Refused")
            if outcome.done:
                told[place] = outcome.answer.get("shipment_id")
        result = self._result(results, await self._verified(plan.before, told))
        if not result["added"]:
            raise _none_added(result["results"])
        return result

    async def _verified(self, before: Before, told: Mapping[int, object]) -> dict[int, JsonObject]:
        """The shipments that OrderDesk says it added. Raises WriteUncertainError unless it shows them all."""
        try:
            found, absent = await self._arrivals(before, told)
        except ToolError:
            found, absent = {}, list(dict.fromkeys(self.entries[place]["order_id"] for place in told))
        if absent:
            raise unshown(absent, order_ids=absent)
        return found

    async def _arrivals(self, before: Before, told: Mapping[int, object]) -> tuple[dict[int, JsonObject], list[str]]:
        """The shipments that were added for the entries at these places, and the orders that do not show theirs.

        `told` are the shipments' ids by place, as far as OrderDesk told them.
        """
        found: dict[int, JsonObject] = {}
        absent = []
        for order_id in dict.fromkeys(self.entries[place]["order_id"] for place in told):
            places = [place for place in told if self.entries[place]["order_id"] == order_id]
            known = dict(before[order_id] or {})
            now = await shipments_of(self.seat, order_id)
            for place in places:
                shipment_id = str(told[place])
                shipment = None if shipment_id in known else now.get(shipment_id)
                if shipment is not None and fits(shipment, _fields(self.entries[place])):
                    found[place] = known[shipment_id] = shipment
            nameless = [place for place in places if place not in found]
            came = arrivals(known, now, [_fields(self.entries[place]) for place in nameless])
            if came is None:
                absent.append(order_id)
            else:
                found |= zip(nameless, came, strict=True)
        return found, absent

    @property
    def _orders(self) -> list[str]:
        return list(dict.fromkeys(entry["order_id"] for entry in self.entries))

    @property
    def _references(self) -> list[Reference]:
        return [Reference(SHIPMENT, (order_id, "")) for order_id in self._orders]

    async def _shipments(self, order_id: str) -> dict[str, JsonObject] | None:
        try:
            return await shipments_of(self.seat, order_id)
        except NotFoundError:
            return None

    def _result(self, failures: Sequence[JsonObject], added: Mapping[int, JsonObject]) -> dict[str, Any]:
        """What became of each entry: the shipments `added` by their places, and the failures of the others."""
        named = self._named(
            [_added(added[place]) if place in added else failure for place, failure in enumerate(failures)]
        )
        counts = {"added": len(added), "failed": len(named) - len(added)}
        return {
            "status": "success",
            "results": named,
            **counts,
            "message": summary(counts, "shipments"),
        }

    def _named(self, outcomes: Sequence[JsonObject]) -> list[JsonObject]:
        """What becomes of each entry, with what it is."""
        return [
            {"order_id": entry["order_id"], "tracking_number": entry["tracking_number"], **outcome}
            for entry, outcome in zip(self.entries, outcomes, strict=True)
        ]


def _fields(entry: JsonObject) -> JsonObject:
    return {name: value for name, value in entry.items() if name != "order_id"}


def _places(reasons: Sequence[str | None]) -> list[int]:
    """The places of the entries that nothing hinders."""
    return [place for place, reason in enumerate(reasons) if reason is None]


def _added(shipment: JsonObject) -> JsonObject:
    known = None if shipment.get("id") is None else str(shipment["id"])
    return {"status": "added", "shipment_id": known, "message": "Shipment added"}


def _planned() -> JsonObject:
    return {"status": PLANNED, "shipment_id": None, "message": "Would be added"}


def _failed(message: str | None) -> JsonObject:
    return {"status": "failed", "shipment_id": None, "message": message or ""}


def _none_added(results: Sequence[JsonObject]) -> ToolError:
    duplicates = {NUMBER_TAKEN.casefold(), NUMBER_TWICE.casefold(), DUPLICATE}
    if all(result["message"].casefold() in duplicates for result in results):
        return ConflictError("The orders have these shipments already; none was added.", results=results)
    return OrderDeskError("None of the shipments was added: see results.", results=results)

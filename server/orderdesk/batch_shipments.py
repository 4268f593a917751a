"""Adding shipments to many orders at once: what can be added is sent together, and each entry has its own outcome."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError, NotFoundError, OrderDeskError, ToolError
from server.orderdesk.batch import outcomes, summary, target
from server.orderdesk.kinds import SHIPMENT, Reference
from server.orderdesk.operation import StoreOperation
from server.orderdesk.shipments import DUPLICATE, NO_NUMBER, Shipments, arrivals, holder, shipments_of
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
            raise _none_added(self._result([_failed(reason or "") for reason in reasons])["results"])
        after = {order_id: dict(shipments) if shipments else shipments for order_id, shipments in before.items()}
        for number, (entry, reason) in enumerate(zip(self.entries, reasons, strict=True), 1):
            if reason is None:
                after[entry["order_id"]] = {**(after[entry["order_id"]] or {}), f"new {number}": _fields(entry)}
        return Plan(before, after)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """POST those that can be added. Raises ConflictError or OrderDeskError where OrderDesk added none."""
        del revise
        reasons = hindrances(self.entries, plan.before)
        sent = self._sent(reasons)
        answer = await self.seat.write("POST", ENDPOINT, body=sent, touches=self._references)
        answered = iter(outcomes(answer, "order_id", [entry["order_id"] for entry in sent]))
        results = []
        for reason in reasons:
            if reason is not None:
                results.append(_failed(reason))
                continue
            outcome = next(answered)
            results.append(
                _added(outcome.answer.get("shipment_id")) if outcome.done else _failed(outcome.message or "Refused")
            )
        result = self._result(results)
        if not result["added"]:
            raise _none_added(result["results"])
        return result

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if everything that was sent is there."""
        reasons = hindrances(self.entries, plan.before)
        results = [_failed(reason or "") for reason in reasons]
        for order_id in dict.fromkeys(entry["order_id"] for entry in self._sent(reasons)):
            places = [
                place
                for place, entry in enumerate(self.entries)
                if entry["order_id"] == order_id and reasons[place] is None
            ]
            wanted = [_fields(self.entries[place]) for place in places]
            found = arrivals(plan.before[order_id], await shipments_of(self.seat, order_id), wanted)
            if found is None:
                return None
            for place, shipment in zip(places, found, strict=True):
                results[place] = _added(shipment.get("id"))
        return self._result(results)

    @property
    def _orders(self) -> list[str]:
        return list(dict.fromkeys(entry["order_id"] for entry in self.entries))

    @property
    def _references(self) -> list[Reference]:
        return [Reference(SHIPMENT, (order_id, "")) for order_id in self._orders]

    def _sent(self, reasons: Sequence[str | None]) -> list[JsonObject]:
        return [entry for entry, reason in zip(self.entries, reasons, strict=True) if reason is None]

    async def _shipments(self, order_id: str) -> dict[str, JsonObject] | None:
        try:
            return await shipments_of(self.seat, order_id)
        except NotFoundError:
            return None

    def _result(self, results: Sequence[JsonObject]) -> dict[str, Any]:
        named = [
            {"order_id": entry["order_id"], "tracking_number": entry["tracking_number"], **result}
            for entry, result in zip(self.entries, results, strict=True)
        ]
        added = sum(result["status"] == "added" for result in results)
        counts = {"added": added, "failed": len(results) - added}
        return {
            "status": "success",
            "results": named,
            **counts,
            "message": summary(counts, "shipments"),
        }


def _fields(entry: JsonObject) -> JsonObject:
    return {name: value for name, value in entry.items() if name != "order_id"}


def _added(shipment_id: object) -> JsonObject:
    known = None if shipment_id is None else str(shipment_id)
    return {"status": "added", "shipment_id": known, "message": "Shipment added"}


def _failed(message: str) -> JsonObject:
    return {"status": "failed", "shipment_id": None, "message": message}


def _none_added(results: Sequence[JsonObject]) -> ToolError:
    duplicates = {NUMBER_TAKEN.casefold(), NUMBER_TWICE.casefold(), DUPLICATE}
    if all(result["message"].casefold() in duplicates for result in results):
        return ConflictError("The orders have these shipments already; none was added.", results=results)
    return OrderDeskError("None of the shipments was added: see results.", results=results)

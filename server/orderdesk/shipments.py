"""Adding a shipment to an order: never the same tracking number twice, and found again by what came since."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError, OrderDeskError, WriteUncertainError
from server.orderdesk.kinds import ORDER, SHIPMENT, Reference
from server.orderdesk.listing import entries
from server.orderdesk.merge import JsonObject, differences, shows
from server.orderdesk.operation import StoreOperation, send_renewed
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat

NO_NUMBER: Final = "n/a"
# What OrderDesk says where the order has a shipment with this tracking number.
DUPLICATE: Final = "shipment not added"

Shipments = Mapping[str, JsonObject]
"""An order's shipments by their ids."""


async def shipments_of(seat: Seat, order_id: str) -> dict[str, JsonObject]:
    """An order's shipments by their ids, past the cache. Raises NotFoundError."""
    found = entries(await seat.list(SHIPMENT, order_id), "shipments")
    return {str(shipment.get("id")): shipment for shipment in found if isinstance(shipment, dict)}


def holder(shipments: Shipments, number: str) -> str | None:
    """The id of the shipment that has this tracking number; "n/a" is none."""
    if number == NO_NUMBER:
        return None
    return next((key for key, shipment in shipments.items() if _has(shipment, number)), None)


def arrivals(before: Shipments, now: Shipments, wanted: Sequence[JsonObject]) -> list[JsonObject] | None:
    """For each of `wanted` the shipment that was added since; None unless all are there and no others like them.

    A tracking number tells a shipment from any other. One without is known by being new and by all that was asked of
    it: had somebody else added just such a one, and ours never arrived, his would be taken for it.
    """
    new = [shipment for key, shipment in now.items() if key not in before]
    found = []
    for body in wanted:
        alike = next((shipment for shipment in new if fits(shipment, body)), None)
        if alike is None:
            return None
        new.remove(alike)
        found.append(alike)
    return None if any(fits(shipment, body) for shipment in new for body in wanted) else found


def fits(shipment: JsonObject, body: JsonObject) -> bool:
    """Whether a shipment may be the one that was asked for: by its tracking number, without one by all its fields."""
    if body["tracking_number"] == NO_NUMBER:
        return shows(SHIPMENT.rules, shipment, body)
    return _has(shipment, body["tracking_number"])


def _has(shipment: JsonObject, number: str) -> bool:
    """OrderDesk may show a number of digits as a number."""
    return str(shipment.get("tracking_number")) == number


@dataclass(frozen=True)
class AddShipment(StoreOperation):
    """An operation that adds one shipment to an order. Its plan keeps the order's shipments before and after."""

    order_id: str
    body: JsonObject

    @property
    def target(self) -> str:
        """The order."""
        return self.order_id

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """The order."""
        return ((self.seat.store.upstream, self._reference.lock),)

    async def plan(self) -> Plan:
        """The order's shipments, then with this one. Raises NotFoundError, ConflictError for a number it has."""
        before = await shipments_of(self.seat, self.order_id)
        existing = holder(before, self.body["tracking_number"])
        if existing is not None:
            raise ConflictError(
                f"Order {self.order_id} has a shipment with this tracking number already; nothing was added.",
                existing_id=existing,
            )
        return Plan(before, {**before, "new": self.body})

    def preview(self, plan: Plan) -> dict[str, Any]:
        """The shipment that the order would get."""
        return {"changes": differences(Reference(ORDER, (self.order_id,)).name, plan.before, plan.after)}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """POST it. Raises ConflictError where the order has its number by then."""
        return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The shipment, if it came since."""
        found = arrivals(plan.before, await shipments_of(self.seat, self.order_id), [self.body])
        return None if found is None else self._added(found[0])

    async def _send(self, plan: Plan) -> dict[str, Any]:
        del plan
        try:
            answer = await self.seat.attempt(
                "POST", SHIPMENT.collection, self.order_id, body=self.body, touches=(self._reference,)
            )
        except OrderDeskError as error:
            if error.message.casefold() == DUPLICATE:
                raise ConflictError(error.message) from None
            raise
        added = answer.get(SHIPMENT.member)
        if not isinstance(added, dict):
            raise WriteUncertainError("OrderDesk confirmed the shipment without showing it. Read the order.")
        return self._added(added)

    @property
    def _reference(self) -> Reference:
        return Reference(SHIPMENT, (self.order_id, ""))

    def _added(self, shipment: JsonObject) -> dict[str, Any]:
        return {
            "status": "success",
            "shipment": shipment,
            "message": f"Shipment {shipment.get('id')} added to order {self.order_id} successfully",
        }

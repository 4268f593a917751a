"""Moving orders to a folder: one request for all, and for each order what became of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import NotFoundError, OrderDeskError, ToolError, WriteUncertainError
from server.orderdesk.batch import PLANNED, changes, target
from server.orderdesk.kinds import ORDER, Reference
from server.orderdesk.messages import impersonal
from server.orderdesk.operation import StoreOperation, send_renewed
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject

MOVED = "moved"
UNCHANGED = "unchanged"
FAILED = "failed"
NOT_FOUND = "Order not found"


@dataclass(frozen=True)
class Move(StoreOperation):
    """An operation that moves orders to the folder whose id `destination` finds out.

    A plan's `before` and `after` map each order's id to the whole order, or to None where there is none. An order that
    is in the folder already is not sent: moving it would run the folder's rules again.
    """

    order_ids: tuple[str, ...]
    destination: Callable[[], Awaitable[str]]

    @property
    def target(self) -> str:
        """The first order, and how many more."""
        return target(self.order_ids)

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """Every order."""
        return tuple((self.seat.store.upstream, _reference(order_id).lock) for order_id in self.order_ids)

    async def plan(self) -> Plan:
        """The orders now and in their folder. Raises NotFoundError where none is there."""
        folder_id = await self.destination()
        before = {order_id: await self._fetch(order_id) for order_id in self.order_ids}
        if not any(before.values()):
            raise NotFoundError(NOT_FOUND if len(before) == 1 else "None of the orders was found.")
        after = {order_id: _in_folder(order, folder_id) for order_id, order in before.items()}
        return Plan(before, after, report(before, folder_id, {}) if before == after else None)

    def preview(self, plan: Plan) -> dict[str, Any]:
        """The folder of each order before and after, and which could not be moved."""
        told = report(plan.before, _destination(plan), dict.fromkeys(_moving(plan)))
        results = [
            {**line, "status": PLANNED, "message": "Would be moved"} if line["status"] == MOVED else line
            for line in told["results"]
        ]
        counts = {name: told[name] for name in ("folder_id", UNCHANGED, FAILED)}
        return {"changes": changes(ORDER, plan), **counts, "results": results}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Move those that are not there yet. Raises OrderDeskError where OrderDesk moved none of them."""
        return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)

    async def _send(self, plan: Plan) -> dict[str, Any]:
        moving = _moving(plan)
        folder_id = _destination(plan)
        try:
            body = await self.seat.attempt(
                "POST",
                "/move-orders",
                body={"order_id_list": moving, "destination_folder_id": folder_id},
                touches=[_reference(order_id) for order_id in moving],
            )
            answers = _by_order(body.get("results"))
            failures = {
                order_id: await self._failure(plan.before[order_id], answers.get(order_id, {}), folder_id)
                for order_id in moving
            }
        except WriteUncertainError as error:
            error.details["order_ids"] = moving
            raise
        result = report(plan.before, folder_id, failures)
        if not result[MOVED]:
            raise OrderDeskError("OrderDesk moved none of the orders.", results=result["results"])
        return result

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if every order is in the folder; one that was deleted meanwhile cannot be moved any more."""
        folder_id = _destination(plan)
        failures: dict[str, str | None] = {}
        for order_id in _moving(plan):
            found = await self._fetch(order_id)
            if found is not None and not _is_in(found, folder_id):
                return None
            failures[order_id] = NOT_FOUND if found is None else None
        return None if all(failures.values()) else report(plan.before, folder_id, failures)

    async def _fetch(self, order_id: str) -> JsonObject | None:
        try:
            return await self.seat.fetch(_reference(order_id))
        except NotFoundError:
            return None

    async def _failure(self, before: JsonObject, answer: Mapping[str, Any], folder_id: str) -> str | None:
        """Why an order was not moved, or None where it was.

        What an order's message says when it was not moved is not documented. OrderDesk names the folder that it took
        an order out of; where it does not name the right one, the order is looked at.
        """
        if _is_in(before, str(answer.get("original_folder_id"))):
            return None
        try:
            found = await self._fetch(str(before["id"]))
        except ToolError:
            raise WriteUncertainError("OrderDesk did not say of every order whether it was moved.") from None
        if found is not None and _is_in(found, folder_id):
            return None
        if found is not None and not _is_in(found, str(before.get("folder_id"))):
            raise WriteUncertainError(
                f"OrderDesk did not say whether order {before['id']} was moved, and it is in another folder now: a "
                "rule may have moved it on."
            )
        return impersonal(answer.get("message")) or "OrderDesk did not move it"


def report(
    before: Mapping[str, JsonObject | None], folder_id: str, failures: Mapping[str, str | None]
) -> dict[str, Any]:
    """The result: what became of each order. `failures` holds those that were sent: why each failed, None if moved."""
    results = [_outcome(order_id, order, failures) for order_id, order in before.items()]
    count = {status: sum(line["status"] == status for line in results) for status in (MOVED, UNCHANGED, FAILED)}
    there = f", {count[UNCHANGED]} there already" if count[UNCHANGED] else ""
    failed = f", {count[FAILED]} failed" if count[FAILED] else ""
    message = f"{count[MOVED]} of {len(results)} orders moved to folder {folder_id}{there}{failed}"
    return {"status": "success", "message": message, "folder_id": folder_id, **count, "results": results}


def _outcome(order_id: str, order: JsonObject | None, failures: Mapping[str, str | None]) -> dict[str, Any]:
    if order is None:
        return {"order_id": order_id, "status": FAILED, "message": NOT_FOUND}
    status, message = UNCHANGED, "Was there already"
    if order_id in failures:
        failure = failures[order_id]
        status, message = (MOVED, "Moved") if failure is None else (FAILED, failure)
    return {
        "order_id": order_id,
        "status": status,
        "message": message,
        "original_folder_id": str(order.get("folder_id")),
    }


def _reference(order_id: str) -> Reference:
    return Reference(ORDER, (order_id,))


def _is_in(order: JsonObject, folder_id: str) -> bool:
    return str(order.get("folder_id")) == folder_id


def _in_folder(order: JsonObject | None, folder_id: str) -> JsonObject | None:
    if order is None or _is_in(order, folder_id):
        return order
    number = isinstance(order.get("folder_id"), int) and folder_id.isdecimal()
    return {**order, "folder_id": int(folder_id) if number else folder_id}


def _moving(plan: Plan) -> list[str]:
    return [order_id for order_id, order in plan.before.items() if order != plan.after[order_id]]


def _destination(plan: Plan) -> str:
    return str(next(order for order in plan.after.values() if order is not None)["folder_id"])


def _by_order(results: object) -> dict[str, Mapping[str, Any]]:
    lines = results if isinstance(results, list) else []
    return {str(line.get("order_id")): line for line in lines if isinstance(line, Mapping)}

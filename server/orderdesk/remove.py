"""Deleting an object: its last state is kept in the plan, and an unknown outcome is settled by looking for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.errors import NotFoundError
from server.orderdesk.operation import ObjectOperation, renewed, send_renewed
from server.writes.operation import Plan, Revise


@dataclass(frozen=True)
class Remove(ObjectOperation):
    """An operation that deletes one object."""

    async def plan(self) -> Plan:
        """The object, then nothing. Raises NotFoundError."""
        return Plan(await self.seat.fetch(self.reference), None)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """DELETE it. It is read once more before: nothing but its last state in the plan will tell what it was."""
        plan = await renewed(plan, self.plan, revise)
        return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if it is gone from a store that OrderDesk answers for."""
        del plan
        try:
            await self.seat.fetch(self.reference)
        except NotFoundError:
            await self.seat.check()
            return self._result()
        return None

    async def _send(self, plan: Plan) -> dict[str, Any]:
        del plan
        kind = self.reference.kind
        await self.seat.attempt("DELETE", kind.template, *self.reference.ids, touches=(self.reference,))
        return self._result()

    def _result(self) -> dict[str, Any]:
        return {
            "status": "success",
            "deleted_id": self.reference.id,
            "message": f"{self._name} deleted successfully",
        }

"""Changing an object: fetch, merge, re-check, PUT it whole, and believe only what OrderDesk then shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from server.errors import ConflictError, ToolError, WriteUncertainError
from server.orderdesk.client import NotAppliedError
from server.orderdesk.merge import JsonObject, merge, same, shows
from server.orderdesk.operation import ObjectOperation
from server.writes.operation import Plan, Revise

Changes = Callable[[JsonObject], Mapping[str, Any]]
"""What to change in an object, which may depend on what it is now."""


@dataclass(frozen=True)
class Change(ObjectOperation):
    """An operation that changes some fields of one object.

    The whole object is compared at the re-check, not `date_updated` alone: that has a resolution of one second.
    Between the re-check and OrderDesk's own write there remains a moment in which a foreign change is overwritten:
    OrderDesk offers no conditional write.
    """

    changes: Changes

    async def plan(self) -> Plan:
        """The object now, and with the changes merged in."""
        return self._plan(await self.seat.fetch(self.reference))

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """PUT the object if it is still as it was fetched; else merge anew, a bounded number of times."""
        refused: ToolError | None = None
        for _ in range(self.seat.desk.retries + 1):
            latest = await self.seat.fetch(self.reference)
            if latest == plan.before:
                try:
                    return await self._put(plan)
                except NotAppliedError as error:
                    refused = error.error
                    continue
            plan = self._plan(latest)
            await revise(plan)
            if plan.unchanged is not None:
                return plan.unchanged
        raise refused or ConflictError(
            f"{self._name} kept being changed by others; nothing was written.",
            retries_attempted=self.seat.desk.retries,
        )

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The object, if it shows the changes."""
        found = await self.seat.fetch(self.reference)
        return None if self._absent(plan, found) else self._updated(found)

    def _plan(self, found: JsonObject) -> Plan:
        rules = self.reference.kind.rules
        merged = merge(rules, found, self.changes(found), self.seat.desk.now())
        if same(rules, merged, found):
            return Plan(found, merged, self._unchanged(found))
        return Plan(found, merged)

    def _absent(self, plan: Plan, found: JsonObject) -> list[str]:
        """The fields that do not show what was written."""
        return [
            name
            for name, value in self.changes(plan.before).items()
            if not shows(self.reference.kind.rules, found, {name: value})
        ]

    async def _put(self, plan: Plan) -> dict[str, Any]:
        kind = self.reference.kind
        body = await self.seat.attempt(
            "PUT", kind.template, *self.reference.ids, body=plan.after, touches=(self.reference,)
        )
        answered = body.get(kind.member)
        found = answered if isinstance(answered, dict) else await self._fetch_written()
        absent = self._absent(plan, found)
        if absent:
            raise WriteUncertainError(
                f"OrderDesk confirmed the update, but {self._name} does not show it: {', '.join(absent)}. Read it.",
                **self.reference.named,
                fields=absent,
            )
        return self._updated(found)

    async def _fetch_written(self) -> JsonObject:
        """OrderDesk confirmed without showing the object: what it holds now."""
        try:
            return await self.seat.fetch(self.reference)
        except ToolError:
            raise WriteUncertainError(
                f"OrderDesk confirmed the update without showing it, and {self._name} could not be read. Read it.",
                **self.reference.named,
            ) from None

    def _unchanged(self, found: JsonObject) -> dict[str, Any]:
        return _result(self, found, "has these values already; nothing was written")

    def _updated(self, found: JsonObject) -> dict[str, Any]:
        return _result(self, found, "updated successfully")


def _result(change: Change, found: JsonObject, what: str) -> dict[str, Any]:
    kind = change.reference.kind
    return {
        "status": "success",
        kind.title.lower(): found,
        "message": f"{kind.title} {change.reference.id} {what}",
    }

"""Creating an object: POSTed once, and found again when nobody knows whether it arrived."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from server.errors import ConflictError, OrderDeskError, ToolError, WriteUncertainError
from server.orderdesk.kinds import Reference
from server.orderdesk.merge import differences
from server.orderdesk.operation import StoreOperation, send_renewed
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat
    from server.orderdesk.kinds import Kind
    from server.orderdesk.merge import JsonObject

Find = Callable[["Seat", "JsonObject"], Awaitable["JsonObject | None"]]
"""Looks for an object like the one to create, past the cache."""

# OrderDesk names the object that is there already at the end of its refusal.
DUPLICATE: Final = re.compile(r"already exist|duplicate", re.IGNORECASE)
LAST_NUMBER: Final = re.compile(r"(\d+)\D*\Z", re.ASCII)
IDENTIFIER: Final = re.compile(r"(?=\D*\d)[\w.#/-]{1,64}\Z", re.ASCII)


def target(name: str) -> str:
    """What audit rows call an object to come: its name where that looks like an id, for it is the client's own text."""
    return name if IDENTIFIER.match(name) else "new"


@dataclass(frozen=True)
class Create(StoreOperation):
    """An operation that creates one object, of the order `parents` where its kind is a part of one.

    `find` tells whether such an object is there: before, because OrderDesk refuses duplicates or would double it, and
    after an unknown outcome. None where nothing tells two objects apart: then an unknown outcome stays unknown.
    `traces` are told with an unknown outcome: what the object can be found by.
    """

    kind: Kind
    parents: tuple[str, ...]
    body: JsonObject
    find: Find | None
    lock: Hashable
    target: str
    traces: Mapping[str, str] = field(default_factory=dict, kw_only=True)

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """What makes two creations the same, or the order that is added to."""
        return ((self.seat.store.upstream, self.lock),)

    async def plan(self) -> Plan:
        """Nothing, then the object. Raises ConflictError where there is one like it."""
        existing = await self.find(self.seat, self.body) if self.find else None
        if existing is not None:
            raise self._conflict(str(existing.get("id")))
        return Plan(None, self.body)

    def preview(self, plan: Plan) -> dict[str, Any]:
        """The object."""
        return {"changes": differences(f"New {self.kind.title.lower()}", plan.before, plan.after)}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """POST it. Raises ConflictError where OrderDesk refuses it because there is one like it."""
        try:
            return await send_renewed(plan, self.plan, revise, self._send, retries=self.seat.desk.retries)
        except WriteUncertainError as error:
            error.details |= self.traces
            raise
        except OrderDeskError as error:
            raise await self._refusal(plan, error) from None

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The object, if it is there."""
        found = await self.find(self.seat, plan.after) if self.find else None
        return None if found is None else self._result(found)

    async def _send(self, plan: Plan) -> dict[str, Any]:
        touched = Reference(self.kind, (*self.parents, ""))
        body = await self.seat.attempt("POST", self.kind.collection, *self.parents, body=plan.after, touches=(touched,))
        return self._result(self._created(body))

    def _created(self, body: dict[str, Any]) -> JsonObject:
        created = body.get(self.kind.member)
        if not isinstance(created, dict):
            raise WriteUncertainError(f"OrderDesk confirmed {self.kind.rules.kind} and did not show it.")
        return created

    async def _refusal(self, plan: Plan, error: OrderDeskError) -> OrderDeskError | ConflictError:
        """What a refusal means. Someone may have created the same since it was looked for."""
        try:
            existing = await self.find(self.seat, plan.after) if self.find else None
        except ToolError:
            return error
        if existing is not None:
            return self._conflict(str(existing.get("id")))
        if DUPLICATE.search(error.message):
            number = LAST_NUMBER.search(error.message)
            return self._conflict(number[1] if number else None)
        return error

    def _conflict(self, existing_id: str | None) -> ConflictError:
        return ConflictError(
            f"{self.kind.title} {existing_id or 'like this'} is there already; nothing was created.",
            existing_id=existing_id,
        )

    def _result(self, created: JsonObject) -> dict[str, Any]:
        return {
            "status": "success",
            self.kind.title.lower(): created,
            "message": f"{self.kind.title} {created.get('id')} created successfully",
        }

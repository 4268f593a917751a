"""What every write to a store has in common: where it is done, and what it holds while it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.errors import ToolError
from server.orderdesk.client import NotAppliedError
from server.orderdesk.merge import differences
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.orderdesk.desk import Seat
    from server.orderdesk.kinds import Reference
    from server.tenancy.stores import Store


@dataclass(frozen=True)
class StoreOperation:
    """An operation at one store. `objects` is how many of OrderDesk's it touches."""

    seat: Seat
    objects: int = field(default=1, kw_only=True)

    @property
    def store(self) -> Store:
        """The store."""
        return self.seat.store

    @property
    def store_id(self) -> str:
        """The store's OrderDesk id."""
        return self.seat.store.store_id


async def renewed(plan: Plan, replan: Callable[[], Awaitable[Plan]], revise: Revise) -> Plan:
    """The plan as it is made now, kept in the ledger if that is another."""
    latest = await replan()
    if latest != plan:
        await revise(latest)
    return latest


async def send_renewed(
    plan: Plan,
    replan: Callable[[], Awaitable[Plan]],
    revise: Revise,
    send: Callable[[Plan], Awaitable[dict[str, Any]]],
    *,
    retries: int,
) -> dict[str, Any]:
    """What `send` returns, awaited again a bounded number of times where it is certain that nothing was done.

    A refused attempt has waited: the plan is made anew before the next, so that the ledger's before-image is what was
    there when the write was sent. Raises what refused the last attempt.
    """
    refused: ToolError | None = None
    for _ in range(retries + 1):
        if refused is not None:
            plan = await renewed(plan, replan, revise)
        if plan.unchanged is not None:
            return plan.unchanged
        try:
            return await send(plan)
        except NotAppliedError as error:
            refused = error.error
    assert refused is not None
    raise refused


@dataclass(frozen=True)
class ObjectOperation(StoreOperation):
    """An operation on one object that is there."""

    reference: Reference

    @property
    def target(self) -> str:
        """The object's id."""
        return self.reference.target

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """The object, or the order that it is a part of."""
        return ((self.seat.store.upstream, self.reference.lock),)

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What would change in it."""
        return {"changes": differences(self.reference.name, plan.before, plan.after)}

    @property
    def _name(self) -> str:
        return f"{self.reference.kind.title} {self.reference.id}"

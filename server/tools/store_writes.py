"""Writes to the tenant's own stores: registered, chosen, forgotten; OrderDesk is not asked."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.tenancy.stores import Store, Stores
    from server.tools.call import Call
    from server.tools.stores import Register


def view_of(store: Store) -> dict[str, Any]:
    """A store as clients see it."""
    return {
        "store_id": store.store_id,
        "store_name": store.name,
        "label": store.label,
        "active": store.is_default,
    }


@dataclass(frozen=True)
class StoreWrite:
    """An operation on the tenant's own stores; OrderDesk is not asked.

    `store_id` is the identifier as it was given where no store answers to it (any more).
    """

    call: Call
    store_id: str
    store: Store | None
    objects: int = field(default=0, kw_only=True)
    message: ClassVar[str]

    @property
    def target(self) -> str:
        """The store."""
        return self.store_id

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """The tenant's stores."""
        return (("stores", self._tenant_id),)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if the rows show it."""
        known = {store.store_id: view_of(store) for store in await self._stores.all(self._tenant_id)}
        view = plan.after or plan.before
        return self._result(view) if known.get(view["store_id"]) == plan.after else None

    @property
    def _tenant_id(self) -> str:
        return self.call.caller.tenant_id

    @property
    def _stores(self) -> Stores:
        return self.call.services.stores

    def _result(self, view: dict[str, Any]) -> dict[str, Any]:
        return {"status": "success", "store": view, "message": self.message.format(view["store_id"])}


@dataclass(frozen=True)
class Registration(StoreWrite):
    """An operation that keeps a store."""

    arguments: Register
    message: ClassVar[str] = "Store {} registered"

    async def plan(self) -> Plan:
        """Nothing, then the store."""
        known = await self._stores.all(self._tenant_id)
        after = {
            "store_id": self.arguments.store_id,
            "store_name": self.arguments.store_name,
            "label": self.arguments.label,
            "active": not any(store.is_default for store in known),
        }
        return Plan(None, after)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Add the row. Raises ConflictError where it is there."""
        del plan, revise
        asked = self.arguments
        store = await self._stores.register(
            self._tenant_id, asked.store_id, asked.api_key, asked.store_name, asked.label
        )
        return self._result(view_of(store))


@dataclass(frozen=True)
class OfOneStore(StoreWrite):
    """An operation on the store that `identifier` means.

    It is resolved where it is planned: the same request may be answered from the ledger after its store is gone.
    """

    identifier: str

    async def _resolved(self) -> dict[str, Any]:
        return view_of(await self.call.store(self.identifier))


@dataclass(frozen=True)
class Choice(OfOneStore):
    """An operation that makes a store the active one."""

    message: ClassVar[str] = "Store {} is active now"

    async def plan(self) -> Plan:
        """The store now, and active. Raises StoreNotFoundError."""
        before = await self._resolved()
        after = {**before, "active": True}
        return Plan(before, after, self._result(after) if before == after else None)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Change the rows."""
        del revise
        return self._result(view_of(await self._stores.use(self._tenant_id, plan.before["store_id"])))


@dataclass(frozen=True)
class Deletion(OfOneStore):
    """An operation that forgets a store."""

    message: ClassVar[str] = "Store {} deleted here; OrderDesk keeps its orders"

    async def plan(self) -> Plan:
        """The store, then nothing. Raises StoreNotFoundError."""
        return Plan(await self._resolved(), None)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Delete the row."""
        del revise
        return self._result(view_of(await self._stores.delete(self._tenant_id, plan.before["store_id"])))

"""Writes to the tenant's own stores: registered, chosen, forgotten; OrderDesk is not asked."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from server.orderdesk.merge import differences
from server.tenancy.stores import registered
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.tenancy.stores import Store, Stores
    from server.tools.call import Call
    from server.tools.stores import Register


# What a registration may replace, as messages call it. The key itself is in no plan: it is told by its account.
ACCOUNT: Final = "account"
REPLACEABLE: Final = {ACCOUNT: "API key", "store_name": "name", "label": "label"}


def view_of(store: Store) -> dict[str, Any]:
    """A store as clients see it."""
    return {
        "store_id": store.store_id,
        "store_name": store.name,
        "label": store.label,
        "active": store.is_default,
    }


def _view(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != ACCOUNT}


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

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What would change in the store's registration."""
        return {"changes": differences(f"Store {self.store_id}", plan.before, plan.after)}

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if the rows show it."""
        known = {store.store_id: self._state(store) for store in await self._stores.all(self._tenant_id)}
        state = plan.after or plan.before
        return self._result(plan, state) if known.get(state["store_id"]) == plan.after else None

    def _state(self, store: Store) -> dict[str, Any]:
        """A store as plans keep it."""
        return view_of(store)

    @property
    def _tenant_id(self) -> str:
        return self.call.caller.tenant_id

    @property
    def _stores(self) -> Stores:
        return self.call.services.stores

    def _message(self, plan: Plan) -> str:
        del plan
        return self.message

    def _result(self, plan: Plan, state: dict[str, Any]) -> dict[str, Any]:
        message = self._message(plan).format(state["store_id"])
        return {"status": "success", "store": _view(state), "message": message}


@dataclass(frozen=True)
class Registration(StoreWrite):
    """An operation that keeps a store, or replaces the API key, name and label of one that is kept."""

    arguments: Register
    message: ClassVar[str] = "Store {} registered"

    async def plan(self) -> Plan:
        """The store as it is kept, if it is, and as it will be. Raises ConflictError."""
        asked = self.arguments
        self._stores.forget(self._tenant_id)
        known = await self._stores.all(self._tenant_id)
        present = registered(known, asked.store_id, asked.label)
        before = None if present is None else self._state(present)
        after = {
            "store_id": asked.store_id,
            "store_name": asked.store_name,
            "label": asked.label or (before and before["label"]),
            "active": before["active"] if before else not any(store.is_default for store in known),
            ACCOUNT: self._stores.identity(asked.store_id, asked.api_key),
        }
        plan = Plan(before, after)
        return Plan(before, after, self._result(plan, after)) if before == after else plan

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What would change in the store's registration, and whether its key would; no key is shown."""
        shown = Plan(plan.before and _view(plan.before), _view(plan.after))
        changes = super().preview(shown)["changes"]
        if plan.before and plan.before[ACCOUNT] != plan.after[ACCOUNT]:
            key = {"field": "api_key", "before": "(the key that is kept)", "after": "(the key that is given)"}
            changes.append({"object": f"Store {self.store_id}", **key})
        return {"changes": changes}

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Add or change the row. Raises ConflictError."""
        del revise
        asked = self.arguments
        store = await self._stores.register(
            self._tenant_id, asked.store_id, asked.api_key, asked.store_name, asked.label
        )
        return self._result(plan, view_of(store))

    def _state(self, store: Store) -> dict[str, Any]:
        return {**view_of(store), ACCOUNT: store.upstream}

    def _message(self, plan: Plan) -> str:
        if plan.before is None:
            return self.message
        replaced = [name for key, name in REPLACEABLE.items() if plan.before[key] != plan.after[key]]
        if not replaced:
            return "Store {} is registered with these values already; nothing was changed"
        return f"Store {{}} was registered already: {' and '.join(replaced)} replaced"


@dataclass(frozen=True)
class OfOneStore(StoreWrite):
    """An operation on the store that `identifier` means.

    It is resolved where it is planned: the same request may be answered from the ledger after its store is gone.
    """

    identifier: str

    async def _resolved(self) -> dict[str, Any]:
        self._stores.forget(self._tenant_id)
        return view_of(await self.call.store(self.identifier))


@dataclass(frozen=True)
class Choice(OfOneStore):
    """An operation that makes a store the active one."""

    message: ClassVar[str] = "Store {} is active now"

    async def plan(self) -> Plan:
        """The store now, and active. Raises StoreNotFoundError."""
        before = await self._resolved()
        after = {**before, "active": True}
        plan = Plan(before, after)
        return Plan(before, after, self._result(plan, after)) if before == after else plan

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Change the rows."""
        del revise
        return self._result(plan, view_of(await self._stores.use(self._tenant_id, plan.before["store_id"])))


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
        return self._result(plan, view_of(await self._stores.delete(self._tenant_id, plan.before["store_id"])))

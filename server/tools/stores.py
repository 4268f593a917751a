"""The tools that register, list, choose and forget a tenant's OrderDesk stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Identifier,
    Result,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
)
from server.writes.operation import Plan, Revise

if TYPE_CHECKING:
    from server.tenancy.stores import Store, Stores

Name = Annotated[str, Field(min_length=1, max_length=200)]


class NoArguments(Arguments):
    pass


class Register(WriteArguments):
    store_id: Identifier = Field(description="The OrderDesk store id (OrderDesk: Store Settings, API)")
    # Both travel as HTTP headers: visible ASCII only.
    api_key: str = Field(pattern=r"^[\x21-\x7e]{1,200}$", description="The store's OrderDesk API key; kept encrypted")
    store_name: Name = Field(description="What to call the store")
    label: Name | None = Field(None, description="A short name of your own; unique among your stores")


class Identified(Arguments):
    identifier: StoreIdentifier = Field(description="A store id, label or name")


class Use(WriteArguments):
    identifier: StoreIdentifier = Field(description="A store id, label or name")


class Delete(WriteArguments):
    store_identifier: StoreIdentifier = Field(description="A store id, label or name")


class StoreView(BaseModel):
    model_config = ConfigDict(extra="forbid")

    store_id: str
    store_name: str
    label: str | None
    active: bool = Field(description="Whether calls that name no store use this one")


class StoresResult(Result):
    status: Literal["success"]
    stores: list[StoreView]
    count: int


class StoreWritten(WriteResult):
    store: StoreView | None = Field(None, description="The store; absent in a dry run")


class StoreResult(Result):
    status: Literal["success"]
    store: StoreView
    message: str


def _view(store: Store) -> dict[str, Any]:
    return {
        "store_id": store.store_id,
        "store_name": store.name,
        "label": store.label,
        "active": store.is_default,
    }


def _answer(store: Store, message: str) -> dict[str, Any]:
    return {"status": "success", "store": _view(store), "message": message}


async def list_stores(call: Call, _arguments: NoArguments) -> dict[str, Any]:
    """Every store of the tenant, without its API key."""
    stores = await call.services.stores.all(call.caller.tenant_id)
    return {"status": "success", "stores": [_view(store) for store in stores], "count": len(stores)}


async def resolve(call: Call, arguments: Identified) -> dict[str, Any]:
    """Which store an identifier means."""
    store = await call.store(arguments.identifier)
    return _answer(store, f"{arguments.identifier!r} is store {store.store_id}")


@dataclass(frozen=True)
class StoreWrite:
    """An operation on the tenant's own stores; OrderDesk is not asked. `carry_out` returns the store as it is then."""

    store_id: str
    store: Store | None
    tenant_id: str
    stores: Stores
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    carry_out: Callable[[], Awaitable[Store]]
    message: str
    objects: int = 0

    @property
    def target(self) -> str:
        """The store."""
        return self.store_id

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """The tenant's stores."""
        return (("stores", self.tenant_id),)

    async def plan(self) -> Plan:
        """The store now and then."""
        unchanged = self.before == self.after
        return Plan(self.before, self.after, self._answer(self.after) if unchanged else None)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Change the rows."""
        del plan, revise
        return self._answer(_view(await self.carry_out()))

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if the rows show it."""
        known = {store.store_id: _view(store) for store in await self.stores.all(self.tenant_id)}
        shown = known.get(self.store_id) == plan.after
        return self._answer(plan.after or plan.before) if shown else None

    def _answer(self, view: dict[str, Any] | None) -> dict[str, Any]:
        return {"status": "success", "store": view, "message": self.message}


async def register(call: Call, arguments: Register) -> StoreWrite:
    """Keep a store; the first becomes active."""
    stores, tenant_id = call.services.stores, call.caller.tenant_id
    known = await stores.all(tenant_id)

    async def carry_out() -> Store:
        return await stores.register(
            tenant_id, arguments.store_id, arguments.api_key, arguments.store_name, arguments.label
        )

    after = {
        "store_id": arguments.store_id,
        "store_name": arguments.store_name,
        "label": arguments.label,
        "active": not any(store.is_default for store in known),
    }
    message = f"Store {arguments.store_id} registered"
    return StoreWrite(arguments.store_id, None, tenant_id, stores, None, after, carry_out, message)


async def use_store(call: Call, arguments: Use) -> StoreWrite:
    """Make a store the active one."""
    stores, tenant_id = call.services.stores, call.caller.tenant_id
    store = await call.store(arguments.identifier)
    before = _view(store)

    async def carry_out() -> Store:
        return await stores.use(tenant_id, store.store_id)

    message = f"Store {store.store_id} is active now"
    after = {**before, "active": True}
    return StoreWrite(store.store_id, store, tenant_id, stores, before, after, carry_out, message)


async def delete(call: Call, arguments: Delete) -> StoreWrite:
    """Forget a store."""
    stores, tenant_id = call.services.stores, call.caller.tenant_id
    store = await call.store(arguments.store_identifier)

    async def carry_out() -> Store:
        return await stores.delete(tenant_id, store.store_id)

    message = f"Store {store.store_id} deleted here; OrderDesk keeps its orders"
    return StoreWrite(store.store_id, store, tenant_id, stores, _view(store), None, carry_out, message)


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="stores_list",
        title="List stores",
        description="List the OrderDesk stores that you have registered, and which one is active.",
        toolset="stores",
        arguments=NoArguments,
        result=StoresResult,
        example={},
        handler=list_stores,
        open_world=False,
    ),
    WriteTool(
        name="stores_register",
        title="Register a store",
        description=(
            "Register an OrderDesk store with its API key, which is kept encrypted and never shown again. "
            "The first store registered becomes the active one."
        ),
        toolset="stores",
        arguments=Register,
        result=StoreWritten,
        example={"store_id": "42174", "api_key": "YOUR-API-KEY", "store_name": "Main shop", "label": "main"},
        operation=register,
        idempotent=False,
        open_world=False,
        secret=frozenset({"api_key"}),
    ),
    WriteTool(
        name="stores_use_store",
        title="Choose the active store",
        description="Make a store the active one: calls that name no store use it from now on, in every connection.",
        toolset="stores",
        arguments=Use,
        result=StoreWritten,
        example={"identifier": "main"},
        operation=use_store,
        open_world=False,
    ),
    Tool(
        name="stores_resolve",
        title="Find a store",
        description="Tell which registered store an id, label or name means.",
        toolset="stores",
        arguments=Identified,
        result=StoreResult,
        example={"identifier": "Main shop"},
        handler=resolve,
        open_world=False,
    ),
    WriteTool(
        name="stores_delete",
        title="Forget a store",
        description="Delete a store's registration and its API key here. Nothing is deleted at OrderDesk.",
        toolset="stores",
        arguments=Delete,
        result=StoreWritten,
        example={"store_identifier": "main"},
        operation=delete,
        destructive=True,
        open_world=False,
    ),
)

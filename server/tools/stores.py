"""The tools that register, list, choose and forget a tenant's OrderDesk stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.tools.call import Call
from server.tools.declaration import Arguments, Identifier, Result, StoreIdentifier, Tool

if TYPE_CHECKING:
    from server.tenancy.stores import Store

Name = Annotated[str, Field(min_length=1, max_length=200)]


class NoArguments(Arguments):
    pass


class Register(Arguments):
    store_id: Identifier = Field(description="The OrderDesk store id (OrderDesk: Store Settings, API)")
    # Both travel as HTTP headers: visible ASCII only.
    api_key: str = Field(pattern=r"^[\x21-\x7e]{1,200}$", description="The store's OrderDesk API key; kept encrypted")
    store_name: Name = Field(description="What to call the store")
    label: Name | None = Field(None, description="A short name of your own; unique among your stores")


class Identified(Arguments):
    identifier: StoreIdentifier = Field(description="A store id, label or name")


class Delete(Arguments):
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


async def register(call: Call, arguments: Register) -> dict[str, Any]:
    """Keep a store; the first becomes active."""
    call.store_id = arguments.store_id
    store = await call.services.stores.register(
        call.caller.tenant_id, arguments.store_id, arguments.api_key, arguments.store_name, arguments.label
    )
    return _answer(store, f"Store {store.store_id} registered")


async def use_store(call: Call, arguments: Identified) -> dict[str, Any]:
    """Make a store the active one."""
    store = await call.services.stores.use(call.caller.tenant_id, arguments.identifier)
    call.store_id = store.store_id
    return _answer(store, f"Store {store.store_id} is active now")


async def resolve(call: Call, arguments: Identified) -> dict[str, Any]:
    """Which store an identifier means."""
    store = await call.store(arguments.identifier)
    return _answer(store, f"{arguments.identifier!r} is store {store.store_id}")


async def delete(call: Call, arguments: Delete) -> dict[str, Any]:
    """Forget a store."""
    store = await call.services.stores.delete(call.caller.tenant_id, arguments.store_identifier)
    call.store_id = store.store_id
    return _answer(store, f"Store {store.store_id} deleted here; OrderDesk keeps its orders")


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
    Tool(
        name="stores_register",
        title="Register a store",
        description=(
            "Register an OrderDesk store with its API key, which is kept encrypted and never shown again. "
            "The first store registered becomes the active one."
        ),
        toolset="stores",
        arguments=Register,
        result=StoreResult,
        example={"store_id": "42174", "api_key": "YOUR-API-KEY", "store_name": "Main shop", "label": "main"},
        handler=register,
        writes=True,
        idempotent=False,
        open_world=False,
    ),
    Tool(
        name="stores_use_store",
        title="Choose the active store",
        description="Make a store the active one: calls that name no store use it from now on, in every connection.",
        toolset="stores",
        arguments=Identified,
        result=StoreResult,
        example={"identifier": "main"},
        handler=use_store,
        writes=True,
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
    Tool(
        name="stores_delete",
        title="Forget a store",
        description="Delete a store's registration and its API key here. Nothing is deleted at OrderDesk.",
        toolset="stores",
        arguments=Delete,
        result=StoreResult,
        example={"store_identifier": "main"},
        handler=delete,
        writes=True,
        destructive=True,
        open_world=False,
    ),
)

"""The tools that register, list, choose and forget a tenant's OrderDesk stores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from server.errors import ArgumentsError, StoreNotFoundError
from server.tenancy.stores import with_id
from server.tools.call import Call
from server.tools.declaration import (
    Arguments,
    Result,
    StoreIdentifier,
    Tool,
    WriteArguments,
    WriteResult,
    WriteTool,
    as_id,
)
from server.tools.store_writes import Choice, Deletion, Registration, view_of
from server.writes.operation import Operation

if TYPE_CHECKING:
    from server.tenancy.stores import Store

TARGET_LENGTH: Final = 64

StoreId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), BeforeValidator(as_id)]
# Operators read names in terminals, which obey escape sequences and the marks that turn the direction of writing.
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _in_one_line(text: str) -> str:
    if UNPRINTABLE.search(text):
        raise ValueError("must be one line of text without control characters")
    return text


Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_in_one_line)]


class NoArguments(Arguments):
    pass


class Register(WriteArguments):
    store_id: StoreId = Field(description="The OrderDesk store id (OrderDesk: Store Settings, API)")
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


def _answer(store: Store, message: str) -> dict[str, Any]:
    return {"status": "success", "store": view_of(store), "message": message}


async def list_stores(call: Call, _arguments: NoArguments) -> dict[str, Any]:
    """Every store of the tenant, without its API key."""
    stores = await call.services.stores.all(call.caller.tenant_id)
    return {"status": "success", "stores": [view_of(store) for store in stores], "count": len(stores)}


async def resolve(call: Call, arguments: Identified) -> dict[str, Any]:
    """Which store an identifier means."""
    store = await call.store(arguments.identifier)
    return _answer(store, f"{arguments.identifier!r} is store {store.store_id}")


async def register(call: Call, arguments: Register) -> Operation:
    """Keep a store; the first becomes active."""
    call.store_id = arguments.store_id
    present = with_id(await call.services.stores.all(call.caller.tenant_id), arguments.store_id)
    return Registration(call, arguments.store_id, present, arguments)


async def use_store(call: Call, arguments: Use) -> Operation:
    """Make a store the active one."""
    return Choice(call, *await _meant(call, arguments.identifier), arguments.identifier)


async def delete(call: Call, arguments: Delete) -> Operation:
    """Forget a store."""
    return Deletion(call, *await _meant(call, arguments.store_identifier), arguments.store_identifier)


async def _meant(call: Call, identifier: str) -> tuple[str, Store | None]:
    """The id of the store that is meant, and the store; the identifier where there is none."""
    try:
        store = await call.store(identifier)
    except (StoreNotFoundError, ArgumentsError):
        return identifier[:TARGET_LENGTH], None
    return store.store_id, store


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
            "The first store registered becomes the active one. A store that is registered already gets the key, name "
            "and label that you give, as after its key was changed at OrderDesk; the active store stays so."
        ),
        toolset="stores",
        arguments=Register,
        result=StoreWritten,
        example={"store_id": "42174", "api_key": "YOUR-API-KEY", "store_name": "Main shop", "label": "main"},
        operation=register,
        destructive=True,
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

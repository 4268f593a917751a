"""The tools that read what OrderDesk says of a store itself: whether it answers, its settings, its folders."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from server.tools.call import Call
from server.tools.declaration import Arguments, Result, StoreIdentifier, Tool
from server.tools.orders import STORE


class OneStore(Arguments):
    store_identifier: StoreIdentifier | None = Field(None, description=STORE)


class TestResult(Result):
    status: Literal["success"]
    message: str = Field(description="What OrderDesk says")
    store_id: str
    current_date_time: str | None = Field(description="The time at OrderDesk, UTC")
    latency_ms: float = Field(description="Until its answer was here, waiting for the rate limit included")


class SettingsResult(Result):
    status: Literal["success"]
    store: dict[str, Any]
    cached: bool


class FolderView(Result):
    id: str
    name: str


class FoldersResult(Result):
    status: Literal["success"]
    folders: list[FolderView]
    count: int
    cached: bool


async def test_store(call: Call, arguments: OneStore) -> dict[str, Any]:
    """Whether OrderDesk answers for the store."""
    return await call.services.profiles.test(call, await call.store(arguments.store_identifier))


async def get_settings(call: Call, arguments: OneStore) -> dict[str, Any]:
    """The store's settings."""
    return await call.services.profiles.settings(call, await call.store(arguments.store_identifier))


async def list_folders(call: Call, arguments: OneStore) -> dict[str, Any]:
    """The store's folders."""
    return await call.services.profiles.folders(call, await call.store(arguments.store_identifier))


TOOLS: tuple[Tool[Any], ...] = (
    Tool(
        name="stores_test",
        title="Test a store's connection",
        description="Ask OrderDesk whether the store's id and API key work, and how long its answer takes.",
        toolset="stores",
        arguments=OneStore,
        result=TestResult,
        example={"store_identifier": "main"},
        handler=test_store,
    ),
    Tool(
        name="stores_settings",
        title="Get a store's settings",
        description="Get a store's settings at OrderDesk, such as its time zone; secrets are left out.",
        toolset="stores",
        arguments=OneStore,
        result=SettingsResult,
        example={"store_identifier": "main"},
        handler=get_settings,
    ),
    Tool(
        name="stores_folders",
        title="List a store's folders",
        description="List a store's order folders with their ids, for orders_list and orders_move.",
        toolset="stores",
        arguments=OneStore,
        result=FoldersResult,
        example={"store_identifier": "main"},
        handler=list_folders,
    ),
)

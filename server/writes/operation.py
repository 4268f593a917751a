"""What a write tool wants of OrderDesk, as the one pipeline for writes sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from server.tenancy.stores import Store


@dataclass(frozen=True, slots=True)
class Plan:
    """What is there now and what is to be there after, both JSON; None stands for nothing.

    With `unchanged` there is nothing to write: it is the result.
    """

    before: Any
    after: Any
    unchanged: dict[str, Any] | None = None


Revise = Callable[[Plan], Awaitable[None]]
"""Keeps another plan when what was there before has changed; awaited before the write is sent."""


class Operation(Protocol):
    """One write. `locks` name what nobody else may write meanwhile; `target` is what the audit row says was written.

    `objects` counts what it touches at OrderDesk. `store` is None where the store is not registered yet.
    """

    @property
    def store_id(self) -> str:
        """The OrderDesk store's id."""
        ...

    @property
    def store(self) -> Store | None:
        """The store, where it is registered."""
        ...

    @property
    def target(self) -> str:
        """What is written, at most 64 characters."""
        ...

    @property
    def locks(self) -> tuple[Hashable, ...]:
        """What is held while it runs."""
        ...

    @property
    def objects(self) -> int:
        """How many objects it touches."""
        ...

    async def plan(self) -> Plan:
        """Look at what is there. Raises the ToolError of what cannot be done."""
        ...

    def preview(self, plan: Plan) -> dict[str, Any]:
        """What a dry run tells of `plan`: its `changes`; of a batch also what would become of each entry."""
        ...

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """Carry `plan` out; returns the result. Raises WriteUncertainError when the outcome is not known."""
        ...

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The result, if OrderDesk shows that `plan` was carried out; None if it does not (yet)."""
        ...

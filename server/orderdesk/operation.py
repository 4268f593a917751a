"""What every write to a store has in common: where it is done, and what it holds while it is done."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

    @property
    def _name(self) -> str:
        return f"{self.reference.kind.title} {self.reference.id}"

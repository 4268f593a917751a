"""What a tool's handler is given: who calls, by when an answer is due, and the services it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.orderdesk.desk import Desk
    from server.orderdesk.orders import Orders
    from server.orderdesk.products import Products
    from server.orderdesk.profiles import Profiles
    from server.tenancy.stores import Store, Stores
    from server.tenancy.tenants import Caller, Tenants
    from server.writes.writer import Writer


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that tools work with."""

    tenants: Tenants
    stores: Stores
    desk: Desk
    orders: Orders
    products: Products
    writer: Writer
    profiles: Profiles


@dataclass(slots=True)
class Call:
    """One tool call. `deadline` is on the monotonic clock; `store_id` and `target` are noted for the audit row.

    `write_id` is set when a write was recorded: its audit row is kept with it.
    """

    services: Services
    caller: Caller
    tool: str
    request_id: str
    deadline: float
    store_id: str | None = None
    target: str | None = None
    write_id: str | None = None

    async def store(self, identifier: str | None) -> Store:
        """The store that the call is about, noted for the audit. Raises StoreNotFoundError."""
        store = await self.services.stores.resolve(self.caller.tenant_id, identifier)
        self.store_id = store.store_id
        return store

"""What a tool's handler is given: who calls, by when an answer is due, and the services it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.orderdesk.gateway import Gateway
    from server.orderdesk.orders import Orders
    from server.orderdesk.products import Products
    from server.tenancy.stores import Store, Stores
    from server.tenancy.tenants import Caller, Tenants


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that tools work with."""

    tenants: Tenants
    stores: Stores
    gateway: Gateway
    orders: Orders
    products: Products


@dataclass(slots=True)
class Call:
    """One tool call. `deadline` is on the monotonic clock; `store_id` and `target` are noted for the audit row."""

    services: Services
    caller: Caller
    tool: str
    request_id: str
    deadline: float
    store_id: str | None = None
    target: str | None = None

    async def store(self, identifier: str | None) -> Store:
        """The store that the call is about, noted for the audit. Raises StoreNotFoundError."""
        store = await self.services.stores.resolve(self.caller.tenant_id, identifier)
        self.store_id = store.store_id
        return store

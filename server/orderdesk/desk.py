"""OrderDesk's objects for one call: fetched fresh, written, and dropped from the cache when they may have changed."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from server.errors import UpstreamUnavailableError, WriteUncertainError
from server.orderdesk.kinds import PRODUCT, Kind, Reference

if TYPE_CHECKING:
    from server.cache import Cache
    from server.orderdesk.gateway import Gateway
    from server.orderdesk.merge import JsonObject
    from server.tenancy.stores import Store
    from server.tools.call import Call


def utc_now() -> str:
    """Now as OrderDesk writes dates."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def new_source_id() -> str:
    """A source id for an order whose client gave none."""
    return f"qm-{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class Desk:
    """What operations on OrderDesk share. `retries` is how often a change is merged anew after a conflict."""

    gateway: Gateway
    cache: Cache
    retries: int
    now: Callable[[], str] = utc_now
    new_source_id: Callable[[], str] = new_source_id

    def at(self, call: Call, store: Store) -> Seat:
        """The desk of one call's store."""
        return Seat(self, call, store)


@dataclass(frozen=True, slots=True)
class Seat:
    """The desk as one call has it, at one store."""

    desk: Desk
    call: Call
    store: Store

    async def fetch(self, reference: Reference) -> JsonObject:
        """The object as OrderDesk has it now, past the cache. Raises NotFoundError."""
        kind = reference.kind
        body = await self.desk.gateway.get(self.call, self.store, kind.template, *reference.ids)
        return self.member(kind, body)

    async def list(self, kind: Kind, *ids: str, parameters: dict[str, str] | None = None) -> dict[str, Any]:
        """The body of a kind's collection."""
        return await self.desk.gateway.get(self.call, self.store, kind.collection, *ids, parameters=parameters)

    async def check(self) -> None:
        """Return if OrderDesk answers for this store. Raises the ToolError that says why it does not."""
        await self.desk.gateway.get(self.call, self.store, "/test")

    async def attempt(
        self, method: str, endpoint: str, *ids: str, body: object = None, touches: Collection[Reference]
    ) -> dict[str, Any]:
        """The body of OrderDesk's answer to a write; whatever it was, what is cached of `touches` is dropped.

        Raises NotAppliedError where nothing was done and `body` may be outdated by now.
        """
        try:
            return await self.desk.gateway.write(self.call, self.store, method, endpoint, *ids, body=body)
        except WriteUncertainError as error:
            if len(touches) == 1:
                error.details |= next(iter(touches)).named
            raise
        finally:
            for reference in touches:
                self._invalidate(reference)

    def member(self, kind: Kind, body: dict[str, Any]) -> JsonObject:
        """The object in a body. Raises UpstreamUnavailableError where there is none."""
        found = body.get(kind.member)
        if not isinstance(found, dict):
            raise UpstreamUnavailableError(f"OrderDesk answered without {kind.rules.kind}.", reason="unexpected_body")
        return found

    def _invalidate(self, reference: Reference) -> None:
        """Items and shipments are read from their order; lists may show any object."""
        objects, lists = ("products", "product_lists") if reference.kind is PRODUCT else ("orders", "order_lists")
        self.desk.cache.invalidate(self.store.upstream, objects, reference.ids[0])
        self.desk.cache.invalidate(self.store.upstream, lists)

"""Orders: read through the cache, updated by fetch, merge, re-check and whole-object PUT, one at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy.exc import SQLAlchemyError

from server.cache import Cache, Key
from server.errors import ConflictError, ToolError, UpstreamUnavailableError, WriteUncertainError
from server.locks import BusyError, KeyedLocks
from server.orderdesk.client import NotAppliedError
from server.orderdesk.gateway import Gateway
from server.orderdesk.listing import entries, pagination
from server.orderdesk.merge import Order, differences, merge, same, shows
from server.writes import Write, WriteLedger

if TYPE_CHECKING:
    from server.clock import Monotonic
    from server.telemetry.logging import Logger
    from server.tenancy.stores import Store
    from server.tools.call import Call

ORDERS: Final = "/orders"
ORDER: Final = "/orders/{id}"


def utc_now() -> str:
    """Now as OrderDesk writes dates."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True, slots=True)
class Update:
    """A wanted change of one order."""

    order_id: str
    changes: dict[str, Any]
    idempotency_key: str | None


class Orders:
    """The orders of any store."""

    def __init__(
        self,
        gateway: Gateway,
        cache: Cache,
        ledger: WriteLedger,
        logger: Logger,
        *,
        ttl: float,
        retries: int,
        clock: Monotonic,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._gateway = gateway
        self._cache = cache
        self._ledger = ledger
        self._logger = logger
        self._ttl = ttl
        self._retries = retries
        self._clock = clock
        self._now = now
        self._locks = KeyedLocks()

    async def page(self, call: Call, store: Store, limit: int, offset: int, filters: dict[str, str]) -> dict[str, Any]:
        """A page of orders, with its pagination and whether it was cached."""
        parameters = {**filters, "limit": str(limit), "offset": str(offset)}

        async def fetch() -> bytes:
            body = await self._gateway.get(call, store, ORDERS, ORDERS, parameters)
            orders = entries(body, "orders")
            page = pagination(count=len(orders), limit=limit, offset=offset, total=body.get("total_records"))
            # Neither part holds a newline, so a cached page is only cut, never parsed.
            return orjson.dumps(orders) + b"\n" + orjson.dumps(page)

        identity = orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS).decode()
        encoded, cached = await self._cache.get(
            Key.of(store, "order_lists", identity), self._ttl, fetch, deadline=call.deadline
        )
        orders, page = encoded.split(b"\n")
        return {
            "status": "success",
            "orders": orjson.Fragment(orders),
            "pagination": orjson.Fragment(page),
            "cached": cached,
        }

    async def get(self, call: Call, store: Store, order_id: str) -> dict[str, Any]:
        """One order as encoded JSON, and whether it was cached. Raises NotFoundError."""

        async def fetch() -> bytes:
            return orjson.dumps(await self._fetch(call, store, order_id))

        encoded, cached = await self._cache.get(
            Key.of(store, "orders", order_id), self._ttl, fetch, deadline=call.deadline
        )
        return {"status": "success", "order": orjson.Fragment(encoded), "cached": cached}

    async def preview(self, call: Call, store: Store, update: Update) -> dict[str, Any]:
        """What `update` would change, nothing being changed."""
        order = await self._fetch(call, store, update.order_id)
        merged = merge(order, update.changes, self._now())
        return {
            "status": "success",
            "dry_run": True,
            "changes": differences(order, merged),
            "message": f"Order {update.order_id} was not changed: this was a dry run",
        }

    async def update(self, call: Call, store: Store, update: Update) -> dict[str, Any]:
        """Carry out `update`. The result is returned only when OrderDesk confirmed it, or shows it.

        Raises ConflictError when others kept changing the order, WriteUncertainError when the outcome is not known.
        """
        write = Write.of(call, store.store_id, update.order_id, update.idempotency_key, update.changes)
        try:
            async with self._locks.hold((store.upstream, update.order_id), call.deadline - self._clock()):
                earlier = await self._ledger.replay(write)
                if earlier is not None:
                    return {**earlier, "replayed": True}
                return await self._update_alone(call, store, update, write)
        except BusyError:
            raise UpstreamUnavailableError(
                "Other writes to this order did not end in time; nothing was changed.", reason="order_busy"
            ) from None

    async def _update_alone(self, call: Call, store: Store, update: Update, write: Write) -> dict[str, Any]:
        order = await self._fetch(call, store, update.order_id)
        merged = merge(order, update.changes, self._now())
        if same(merged, order):
            unchanged = _result(order, f"Order {update.order_id} has these values already; nothing was written")
            if update.idempotency_key is not None:
                await self._ledger.done(await self._ledger.begin(write), write.tenant_id, unchanged)
            return unchanged
        write_id = await self._ledger.begin(write)
        try:
            written = await self._put_unchanged(call, store, update, order, merged)
        except ToolError as error:
            await self._keep(call, write_id, self._ledger.failed(write_id, error))
            raise
        except Exception as error:
            self._logger.exception("writes.crashed", request_id=call.request_id, write_id=write_id)
            uncertain = WriteUncertainError("The server failed while writing; read the order before trying again.")
            await self._keep(call, write_id, self._ledger.failed(write_id, uncertain))
            raise uncertain from error
        result = _result(written, f"Order {update.order_id} updated successfully")
        await self._keep(call, write_id, self._ledger.done(write_id, write.tenant_id, result))
        return result

    async def _keep(self, call: Call, write_id: str, settling: Awaitable[None]) -> None:
        """Settle the intent. What happened happened: whatever ails the ledger, the client must hear the outcome."""
        try:
            await settling
        except SQLAlchemyError as error:
            self._logger.error(
                "writes.outcome_not_kept", request_id=call.request_id, write_id=write_id, error=type(error).__name__
            )

    async def _put_unchanged(self, call: Call, store: Store, update: Update, order: Order, merged: Order) -> Order:
        """PUT `merged` if the order is still as it was fetched; else merge anew, a bounded number of times.

        The whole order is compared, not `date_updated` alone: that has a resolution of one second. Between the
        re-check and OrderDesk's own write there remains a moment in which a foreign change is overwritten.
        """
        refused: ToolError | None = None
        for _ in range(self._retries + 1):
            latest = await self._fetch(call, store, update.order_id)
            if latest == order:
                try:
                    return await self._put(call, store, update, merged)
                except NotAppliedError as error:
                    refused = error.error
                    continue
            order, merged = latest, merge(latest, update.changes, self._now())
            if same(merged, order):
                return order
        raise refused or ConflictError(
            f"Order {update.order_id} kept being changed by others; nothing was written.",
            retries_attempted=self._retries,
        )

    async def _put(self, call: Call, store: Store, update: Update, merged: Order) -> Order:
        try:
            body = await self._gateway.put(call, store, ORDER, f"{ORDERS}/{update.order_id}", merged)
        except WriteUncertainError as error:
            return await self._look_up(call, store, update, error)
        finally:
            self._invalidate(store, update.order_id)
        answered = body.get("order")
        order = answered if isinstance(answered, dict) else await self._fetch_written(call, store, update, merged)
        absent = [name for name, value in update.changes.items() if not shows(order, {name: value})]
        if absent:
            raise WriteUncertainError(
                f"OrderDesk confirmed the update, but the order does not show it: {', '.join(absent)}. Read the order.",
                order_id=update.order_id,
                fields=absent,
            )
        return order

    async def _look_up(self, call: Call, store: Store, update: Update, error: WriteUncertainError) -> Order:
        """The order, if it shows the change."""
        try:
            order = await self._fetch(call, store, update.order_id)
        except ToolError:
            raise error from None
        if shows(order, update.changes):
            return order
        raise WriteUncertainError(
            "The write was sent to OrderDesk without an answer, and the order does not show it yet. "
            "Read the order before trying again.",
            order_id=update.order_id,
        )

    async def _fetch_written(self, call: Call, store: Store, update: Update, merged: Order) -> Order:
        """OrderDesk confirmed without showing the order: what it holds now, or what was sent if it cannot be read."""
        try:
            return await self._fetch(call, store, update.order_id)
        except ToolError:
            return merged

    async def _fetch(self, call: Call, store: Store, order_id: str) -> Order:
        body = await self._gateway.get(call, store, ORDER, f"{ORDERS}/{order_id}")
        order = body.get("order")
        if not isinstance(order, dict):
            raise UpstreamUnavailableError("OrderDesk answered without an order.", reason="unexpected_body")
        return order

    def _invalidate(self, store: Store, order_id: str) -> None:
        self._cache.invalidate(store.upstream, "orders", order_id)
        self._cache.invalidate(store.upstream, "order_lists")


def _result(order: Order, message: str) -> dict[str, Any]:
    return {"status": "success", "order": order, "message": message}

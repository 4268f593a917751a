"""The one way in which a write is carried out: alone, recorded before it is sent, and settled after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from server.errors import ToolError, UpstreamUnavailableError, WriteUncertainError
from server.locks import BusyError, KeyedLocks
from server.writes.leases import LeasedError, RepeatedError
from server.writes.ledger import Write, WriteLedger, unsettled
from server.writes.operation import Operation, Plan

if TYPE_CHECKING:
    from server.brakes import Brakes
    from server.clock import Monotonic
    from server.orderdesk.gateway import Gateway
    from server.storage.disk import DiskReserve
    from server.telemetry.logging import Logger
    from server.tools.call import Call


LEASE_POLL_SECONDS: Final = 0.25


class Writer:
    """Carries out operations. What it returns happened; what it raises did not, or is WriteUncertainError."""

    def __init__(
        self,
        ledger: WriteLedger,
        brakes: Brakes,
        gateway: Gateway,
        disk: DiskReserve,
        logger: Logger,
        *,
        clock: Monotonic,
    ) -> None:
        self._ledger = ledger
        self._brakes = brakes
        self._gateway = gateway
        self._disk = disk
        self._logger = logger
        self._clock = clock
        self._locks = KeyedLocks()

    async def preview(self, operation: Operation) -> dict[str, Any]:
        """What `operation` would change, nothing being changed."""
        plan = await operation.plan()
        return {
            "status": "success",
            "dry_run": True,
            "message": "Nothing was changed: this was a dry run",
            **operation.preview(plan),
        }

    async def carry_out(self, call: Call, operation: Operation, write: Write) -> dict[str, Any]:
        """The result of `operation`, with `write_id`; `replayed` where the same request was carried out before."""
        await self._brakes.refuse_write(write.tenant_id, write.store_row)
        self._disk.refuse_when_full()
        async with self._alone(call, operation):
            while True:
                try:
                    return await self._carry_out(call, operation, write)
                except RepeatedError as error:
                    await self._wait(call, unsettled(error.write_id))
                except LeasedError:
                    # To try again by itself would read OrderDesk each time, and near the deadline be refused for that.
                    while not await self._ledger.is_free(write):
                        await self._wait(call, _busy())

    async def _wait(self, call: Call, in_vain: ToolError) -> None:
        """Return after a moment in which another process may have ended; raises `in_vain` where none is left."""
        if call.deadline - self._clock() < LEASE_POLL_SECONDS:
            raise in_vain from None
        await asyncio.sleep(LEASE_POLL_SECONDS)

    async def _carry_out(self, call: Call, operation: Operation, write: Write) -> dict[str, Any]:
        """The result. Raises LeasedError where another process must end first; nothing is recorded then."""
        earlier = await self._ledger.replay(write)
        if earlier is not None and earlier.result is not None:
            return {**(earlier.result or _settled_by_hand(earlier.write_id)), "replayed": True}
        if earlier is not None:
            result = await self._find(call, operation, earlier.write_id, _plan(earlier.plan))
            return {**result, "replayed": True}
        if operation.store is not None and operation.objects:
            # Each object is read before and after, and written.
            self._gateway.refuse_when_hopeless(call, operation.store, 3 * operation.objects)
        plan = await operation.plan()
        if plan.unchanged is not None:
            return await self._keep_unchanged(call, write, plan, plan.unchanged)
        call.write_id = await self._ledger.begin(write, plan)
        return await self._apply(call, operation, write, plan)

    @asynccontextmanager
    async def _alone(self, call: Call, operation: Operation) -> AsyncIterator[None]:
        async with AsyncExitStack() as held:
            try:
                # Always in one order, so that two writes that touch the same things cannot wait for each other.
                for key in sorted(operation.locks, key=str):
                    await held.enter_async_context(self._locks.hold(key, call.deadline - self._clock()))
            except BusyError:
                raise _busy() from None
            yield

    async def _keep_unchanged(self, call: Call, write: Write, plan: Plan, result: dict[str, Any]) -> dict[str, Any]:
        """Nothing was to be written; under a key the answer is kept, so that its repetition says the same."""
        if write.idempotency_key is not None:
            # It touches nothing: it counts towards no cap, and needs no lease. Its audit row is the write's.
            call.write_id = await self._ledger.begin(replace(write, objects=0, locks=()), plan)
            await self._settle(call, call.write_id, self._ledger.done(call.write_id, write.tenant_id, result))
        return result

    async def _apply(self, call: Call, operation: Operation, write: Write, plan: Plan) -> dict[str, Any]:
        write_id = call.write_id or ""

        async def revise(revised: Plan) -> None:
            nonlocal plan
            await self._ledger.replan(write, write_id, revised)
            plan = revised

        try:
            try:
                result = await operation.apply(plan, revise)
            except WriteUncertainError as error:
                result = await self._found_after(operation, plan, error)
        except ToolError as error:
            if isinstance(error, WriteUncertainError):
                error.details |= {"write_id": write_id, "target": operation.target}
            await self._settle(call, write_id, self._ledger.failed(write_id, error))
            raise
        except Exception as error:
            self._logger.exception("writes.crashed", request_id=call.request_id, write_id=write_id)
            uncertain = WriteUncertainError(
                "The server failed while writing; read before trying again.",
                write_id=write_id,
                target=operation.target,
            )
            await self._settle(call, write_id, self._ledger.failed(write_id, uncertain))
            raise uncertain from error
        result = {**result, "write_id": write_id}
        await self._settle(call, write_id, self._ledger.done(write_id, write.tenant_id, result))
        return result

    async def _found_after(self, operation: Operation, plan: Plan, error: WriteUncertainError) -> dict[str, Any]:
        """The result, where OrderDesk shows what was sent without an answer; else raises `error`."""
        try:
            found = await operation.look_up(plan)
        except ToolError:
            raise error from None
        if found is None:
            raise error
        return found

    async def _find(self, call: Call, operation: Operation, write_id: str, plan: Plan) -> dict[str, Any]:
        """The result of an earlier write whose outcome nobody knew, looked up now; never sent again."""
        found = await self._found_after(
            operation,
            plan,
            WriteUncertainError(
                "The same request was sent before and its outcome is not known. Read before trying again with a new "
                "idempotency_key.",
                write_id=write_id,
                target=operation.target,
            ),
        )
        result = {**found, "write_id": write_id}
        await self._settle(call, write_id, self._ledger.done(write_id, call.caller.tenant_id, result))
        return result

    async def _settle(self, call: Call, write_id: str, settling: Awaitable[None]) -> None:
        """Settle the intent. What happened happened: whatever ails the ledger, the client must hear the outcome."""
        try:
            await settling
        except SQLAlchemyError as error:
            self._logger.error(
                "writes.outcome_not_kept", request_id=call.request_id, write_id=write_id, error=type(error).__name__
            )


def _busy() -> UpstreamUnavailableError:
    return UpstreamUnavailableError(
        "Other writes to the same object did not end in time; nothing was changed.", reason="order_busy"
    )


def _settled_by_hand(write_id: str) -> dict[str, Any]:
    return {
        "status": "success",
        "message": "This was carried out before; an operator found it, and its result was never seen. Read to see it.",
        "write_id": write_id,
    }


def _plan(kept: dict[str, Any] | None) -> Plan:
    kept = kept or {}
    return Plan(kept.get("before"), kept.get("after"))

"""Taking writes back by command: the store is read-only meanwhile, and each write is reverted whole or says why not."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server.audit import OPERATOR
from server.errors import ConflictError, NotFoundError, ToolError
from server.tenancy.tenants import Caller
from server.tools.call import Call
from server.writes.ledger import DONE, FAILED, Write, digest
from server.writes.operation import Plan
from server.writes.reversals import IRREVERSIBLE, REVERT, reversal_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.engine import Row

    from server.orderdesk.desk import Seat
    from server.tenancy.stores import Store
    from server.tools.call import Services
    from server.writes.history import History
    from server.writes.ledger import WriteLedger
    from server.writes.operation import Operation
    from server.writes.pause import Pause
    from server.writes.rehearsal import Rehearsal

POLL_SECONDS: Final = 0.1
TELL_SECONDS: Final = 1.0
SETTLED: Final = (DONE, FAILED)


@dataclass(frozen=True, slots=True)
class Reverted:
    """What became of taking a write back: `done` of its `count` objects by now, and `why` not all of them.

    `results` are of this run: what each operation says, or in a dry run would change. Where nothing was left to do,
    `earlier` are the reverts that had done it all.
    """

    results: list[dict[str, Any]]
    done: int
    count: int
    why: str | None = None
    earlier: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reverter:
    """Reverts writes of the ledger. Its services must not obey the brakes, which are pulled for everybody else."""

    history: History
    ledger: WriteLedger
    services: Services
    deadline_seconds: float

    async def preview(self, row: Row[Any], rehearsal: Rehearsal) -> Reverted:
        """What taking a write back would change after all that was rehearsed before, and is from now on as well.

        Raises ToolError that says why it cannot be.
        """
        seat = rehearsal.at(await self._seat(row))

        async def rehearse(operation: Operation, plan: Plan) -> dict[str, Any]:
            await rehearsal.carry_out(seat, operation, plan)
            return operation.preview(plan)

        return await self._take_back(row, seat, rehearse, settle=False)

    async def revert(self, row: Row[Any], pause: Pause) -> Reverted:
        """Take a write back, or what an earlier run left of it. Raises ToolError that says why nothing was."""
        seat = await self._seat(row)

        async def carry_out(operation: Operation, _plan: Plan) -> dict[str, Any]:
            pause.refuse_lost()
            return await self._carry_out(row, seat, operation)

        return await self._take_back(row, seat, carry_out, settle=True)

    async def quiet(self, store: Store, wait: Callable[[], None]) -> None:
        """Return when no server can be sending a write to the store, which is paused, any more.

        `wait` is called when that takes a while: a killed server's writes are waited for until nothing can arrive.
        """
        told, began = False, time.monotonic()
        while await self.history.are_under_way(store.tenant_id, store.store_id):
            if not told and time.monotonic() - began > TELL_SECONDS:
                wait()
                told = True
            await asyncio.sleep(POLL_SECONDS)

    async def _seat(self, row: Row[Any]) -> Seat:
        if row.state == FAILED:
            raise ConflictError("it failed and changed nothing")
        if row.tool in IRREVERSIBLE:
            raise ConflictError(IRREVERSIBLE[row.tool])
        if row.state != DONE:
            raise ConflictError("its outcome is not known; see: writes uncertain --look-up")
        caller = Caller(row.tenant_id, row.tenant_name, OPERATOR)
        call = Call(self.services, caller, REVERT, secrets.token_hex(8), self._deadline())
        return self.services.desk.at(call, await call.store(row.store_id))

    async def _take_back(
        self,
        row: Row[Any],
        seat: Seat,
        carry_out: Callable[[Operation, Plan], Awaitable[dict[str, Any]]],
        *,
        settle: bool,
    ) -> Reverted:
        operations = reversal_of(seat, row, self.ledger)
        attempts = await self.history.reverts(row.id)
        earlier = {attempt.target: attempt.id for attempt in attempts if attempt.state == DONE}
        count = len(operations)
        if operations and all(operation.target in earlier for operation in operations):
            return Reverted([], count, count, earlier=tuple(earlier.values()))
        left = []
        for operation in operations:
            unsettled = [each for each in attempts if each.target == operation.target and each.state not in SETTLED]
            seat.call.deadline = self._deadline()
            if operation.target not in earlier and not await self._happened(operation, unsettled, settle=settle):
                left.append(operation)
        done = count - len(left)
        results: list[dict[str, Any]] = []
        try:
            # All or nothing, as far as that can be told beforehand: what stands in the way of one stops them all.
            plans = [await self._plan(seat, operation) for operation in left]
            for operation, plan in zip(left, plans, strict=True):
                results.append(await carry_out(operation, plan))
        except ToolError as error:
            if not done + len(results):
                raise
            return Reverted(results, done + len(results), count, why_not(error))
        return Reverted(results, count, count)

    async def _happened(self, operation: Operation, attempts: Sequence[Row[Any]], *, settle: bool) -> bool:
        """Whether OrderDesk shows one of the attempts that were cut short."""
        for attempt in attempts:
            kept = self.ledger.opened(attempt, "sealed_plan")
            found = await operation.look_up(Plan(kept.get("before"), kept.get("after")))
            if found is not None:
                if settle:
                    await self.ledger.done(attempt.id, attempt.tenant_id, {**found, "write_id": attempt.id})
                return True
            if settle:  # to do the same once more does no harm, and is the operator's wish
                await self.ledger.failed(attempt.id, ConflictError("It did not show when it was tried again."))
        return False

    async def _plan(self, seat: Seat, operation: Operation) -> Plan:
        seat.call.deadline = self._deadline()
        return await operation.plan()

    async def _carry_out(self, row: Row[Any], seat: Seat, operation: Operation) -> dict[str, Any]:
        call, store = seat.call, seat.store
        call.deadline, call.write_id = self._deadline(), None
        asked = {"write_id": row.id}
        write = Write(
            row.tenant_id,
            OPERATOR,
            call.request_id,
            REVERT,
            row.store_id,
            store.id,
            operation.target,
            digest(row.store_id, operation.target, asked),
            asked,
            objects=operation.objects,
            locks=operation.locks,
            reverts=row.id,
        )
        return await self.services.writer.carry_out(call, operation, write)

    def _deadline(self) -> float:
        return time.monotonic() + self.deadline_seconds


def why_not(error: ToolError) -> str:
    """Why a write was not reverted, in one line."""
    if isinstance(error, NotFoundError):
        return f"it is not there any more ({error.message})"
    return error.message

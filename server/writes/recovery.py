"""Writes whose outcome nobody knows: looked up at OrderDesk, settled when it shows them, never sent again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from server.audit import OPERATOR
from server.clock import now_milliseconds
from server.errors import ConflictError
from server.tenancy.tenants import Caller
from server.tools.call import Call, Services
from server.tools.declaration import WriteTool
from server.writes.history import History
from server.writes.operation import Plan
from server.writes.reversals import reversal_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.telemetry.logging import Logger
    from server.writes.ledger import WriteLedger
    from server.writes.operation import Operation

ROUND_SECONDS: Final = 30.0
# A request that was sent without an answer may still arrive; after so many deadlines nobody waits for it any more.
DEADLINES_WATCHED: Final = 10
WRITES_PER_ROUND: Final = 5  # of one tenant


class Recovery:
    """Looks up unsettled writes, once in the background of a server and whenever an operator asks."""

    def __init__(
        self,
        history: History,
        ledger: WriteLedger,
        services: Services,
        tools: Mapping[str, WriteTool[Any]],
        logger: Logger,
        *,
        deadline_seconds: float,
    ) -> None:
        self._history = history
        self._ledger = ledger
        self._services = services
        self._tools = tools
        self._logger = logger
        self.deadline_seconds = deadline_seconds
        self._looked_at: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End. A look-up that is cut short changes nothing."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def operation(self, row: Row[Any]) -> tuple[Operation, Plan, Call]:
        """The operation that a row recorded, its plan, and the call to look it up with. Raises ToolError."""
        kept = self._ledger.opened(row, "sealed_plan")
        plan = Plan(kept.get("before"), kept.get("after"))
        caller = Caller(row.tenant_id, row.tenant_name, OPERATOR)
        deadline = time.monotonic() + self.deadline_seconds
        call = Call(self._services, caller, row.tool, row.request_id, deadline)
        if row.reverts is not None:
            return await self._reversal(row, call), plan, call
        tool = self._tools.get(row.tool)
        if tool is None:
            raise ConflictError(f"this release has no tool {row.tool}; look there, then writes settle")
        asked = {**kept.get("arguments", {}), **dict.fromkeys(tool.secret, "-")}
        for name in {"store_identifier", "identifier"} & set(tool.arguments.model_fields):
            asked[name] = row.store_id
        return await tool.operation(call, tool.parse(asked)), plan, call

    async def _reversal(self, row: Row[Any], call: Call) -> Operation:
        """What a revert did, as the write tells that it reverted."""
        reverted = await self._history.get(row.reverts)
        if reverted is not None:
            seat = self._services.desk.at(call, await call.store(row.store_id))
            for operation in reversal_of(seat, reverted, self._ledger):
                if operation.target == row.target:
                    return operation
        raise ConflictError("what it reverted is not kept any more; look there, then writes settle")

    async def look_up(self, row: Row[Any]) -> bool:
        """Settle a write if OrderDesk shows it; returns whether it did. Raises ToolError where OrderDesk cannot say."""
        operation, plan, _ = await self.operation(row)
        # What shows may be the work of the same request made again: taken for this one's, reverting this one would
        # undo that.
        found = None if await self._ledger.superseded(row) else await operation.look_up(plan)
        if found is None:
            await self._ledger.doubt(row.id)
            return False
        await self._ledger.done(row.id, row.tenant_id, {**found, "write_id": row.id})
        self._logger.info("writes.found", write_id=row.id, tool=row.tool)
        return True

    async def round(self) -> None:
        """Look up those that ended without an outcome, while they may still show; nobody's keep out another's."""
        watched = round(DEADLINES_WATCHED * self.deadline_seconds * 1000)
        rows = await self._history.to_look_up(watched)
        self._looked_at = {row.id: self._looked_at.get(row.id, 0) for row in rows}
        of_tenant: Counter[str] = Counter()
        for row in sorted(rows, key=lambda row: self._looked_at[row.id]):
            of_tenant[row.tenant_id] += 1
            if of_tenant[row.tenant_id] > WRITES_PER_ROUND:
                continue
            self._looked_at[row.id] = now_milliseconds()
            await self._look_up_in_background(row, watched)

    async def _look_up_in_background(self, row: Row[Any], watched: int) -> None:
        try:
            await self.look_up(row)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever ails one write, the others are looked up
            self._logger.warning("writes.look_up_failed", write_id=row.id, error=type(error).__name__)
            if row.created_at < now_milliseconds() - watched:
                await self._ledger.doubt(row.id)

    async def _run(self) -> None:
        while True:
            try:
                await self.round()
            except SQLAlchemyError as error:
                self._logger.error("writes.recovery_failed", error=type(error).__name__)
            await asyncio.sleep(ROUND_SECONDS)

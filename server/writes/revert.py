"""Taking writes back by command: the store is read-only meanwhile, and each write is reverted whole or says why not."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from server import audit, brakes
from server.audit import OPERATOR
from server.brakes import Brake, Brakes
from server.clock import now_milliseconds
from server.errors import ConflictError, NotFoundError, ToolError
from server.tenancy.tenants import Caller
from server.tools.call import Call
from server.writes.history import Filter
from server.writes.ledger import DONE, FAILED, INTENT, Write, digest
from server.writes.operation import Plan
from server.writes.reversals import IRREVERSIBLE, REVERSALS, REVERT, Kept

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.storage.database import Database
    from server.tenancy.stores import Store
    from server.tools.call import Services
    from server.writes.history import History
    from server.writes.ledger import WriteLedger

REASON: Final = "writes revert is at work"
# Released when the work is done; if the command is killed, the brake ends by itself.
PAUSE_MILLISECONDS: Final = 5 * 60 * 1000
PAUSE_MILLISECONDS_PER_WRITE: Final = 60 * 1000
POLL_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Reverter:
    """Reverts writes of the ledger. Its services must not obey the brakes, which it pulls for everybody else."""

    database: Database
    history: History
    ledger: WriteLedger
    services: Services
    brakes: Brakes
    deadline_seconds: float
    stale_milliseconds: int

    async def revert(self, row: Row[Any], *, dry_run: bool) -> list[dict[str, Any]]:
        """The results of taking a write back, or of previewing that. Raises ToolError that says why not."""
        await self._refuse(row)
        call = Call(
            self.services,
            Caller(row.tenant_id, row.tenant_name, OPERATOR),
            REVERT,
            secrets.token_hex(8),
            time.monotonic() + self.deadline_seconds,
        )
        store = await call.store(row.store_id)
        kept = self.ledger.opened(row, "sealed_plan")
        plan = Plan(kept.get("before"), kept.get("after"))
        operations = REVERSALS[row.tool](
            self.services.desk.at(call, store),
            Kept(tuple(row.target.split("/")), plan, self.ledger.opened(row, "sealed_result")),
        )
        # All or nothing, as far as that can be told beforehand: what stands in the way of one stops them all.
        previews = [await self.services.writer.preview(operation) for operation in operations]
        if dry_run:
            return previews
        results = []
        for operation in operations:
            asked = {"write_id": row.id}
            write = Write(
                row.tenant_id,
                OPERATOR,
                call.request_id,
                REVERT,
                row.store_id,
                store.id,
                operation.target,
                digest(operation.target, asked),
                asked,
                objects=operation.objects,
                reverts=row.id,
            )
            results.append(await self.services.writer.carry_out(call, operation, write))
        return results

    async def _refuse(self, row: Row[Any]) -> None:
        if row.state == FAILED:
            raise ConflictError("it failed and changed nothing")
        if row.state != DONE:
            raise ConflictError("its outcome is not known; see: writes uncertain --look-up")
        if row.tool in IRREVERSIBLE:
            raise ConflictError(IRREVERSIBLE[row.tool])
        if row.sealed_plan is None:
            raise ConflictError("it was recorded by a release that kept no before-images")
        reverted_by = await self.history.reverted_by(row.id)
        if reverted_by is not None:
            raise ConflictError(f"it was reverted already, by {reverted_by}")

    @asynccontextmanager
    async def paused(self, store: Store, count: int) -> AsyncIterator[None]:
        """The store read-only for everybody else while `count` writes are reverted, and none under way."""
        pulled = await self._pause(store, PAUSE_MILLISECONDS + count * PAUSE_MILLISECONDS_PER_WRITE)
        try:
            deadline = time.monotonic() + self.stale_milliseconds / 1000
            while await self._under_way(store) and time.monotonic() < deadline:  # noqa: ASYNC110 - another process ends it
                await asyncio.sleep(POLL_SECONDS)
            yield
        finally:
            if pulled:
                await self._resume(store)

    async def _resume(self, store: Store) -> None:
        """Release the store's brake, unless an operator has pulled one in its place meanwhile."""
        held = await self._held(store)
        if held is not None and held.reason == REASON:
            async with self.database.write() as connection:
                await brakes.release(connection, "store", store.id, "read_only")
                await audit.record_operator(
                    connection, "brake.release", tenant_id=store.tenant_id, store_id=store.store_id
                )

    async def _held(self, store: Store) -> Brake | None:
        """The brake that keeps the store read-only now."""
        for brake in await self.brakes.all():
            if (brake.scope, brake.subject, brake.kind) == ("store", store.id, "read_only"):
                return brake
        return None

    async def _pause(self, store: Store, milliseconds: int) -> bool:
        """Pull the store's brake unless it is pulled already; returns whether it is ours to release."""
        if await self._held(store) is not None:
            return False
        brake = Brake("store", store.id, "read_only", REASON, expires_at=now_milliseconds() + milliseconds)
        async with self.database.write() as connection:
            await brakes.pull(connection, brake)
            await audit.record_operator(
                connection, "brake.pull", tenant_id=store.tenant_id, store_id=store.store_id, target=REASON
            )
        return True

    async def _under_way(self, store: Store) -> bool:
        """Whether a server may still be sending a write to the store."""
        since = now_milliseconds() - self.stale_milliseconds
        found = await self.history.find(
            Filter(tenant_id=store.tenant_id, store_id=store.store_id, state=INTENT, since=since), 1
        )
        return bool(found)


def why_not(error: ToolError) -> str:
    """Why a write was not reverted, in one line."""
    if isinstance(error, NotFoundError):
        return f"it is not there any more ({error.message})"
    return error.message

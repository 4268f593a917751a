"""A store kept read-only for everybody else while one process takes its writes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from server import audit, brakes
from server.brakes import Brake
from server.clock import now_milliseconds
from server.errors import ConflictError
from server.writes.leases import Process

if TYPE_CHECKING:
    from server.storage.database import Database
    from server.tenancy.stores import Store

REASON: Final = "writes revert is at work: "
# Released when the work is done, renewed while it is; if nobody does either, the brake ends by itself.
HELD_MILLISECONDS: Final = 2 * 60 * 1000
RENEWAL_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.5


@dataclass(slots=True)
class Pause:
    """The brake of kind "revert" on a store. The brakes that an operator pulls are of other kinds, and stay."""

    database: Database
    store: Store
    process: Process
    lost: bool = field(default=False, init=False)

    @property
    def _brake(self) -> Brake:
        expires_at = now_milliseconds() + HELD_MILLISECONDS
        return Brake("store", self.store.id, "revert", f"{REASON}{self.process}", expires_at=expires_at)

    async def take(self) -> bool:
        """Pull the brake, perhaps in place of one that a killed process left; False while another one holds it."""
        brake = self._brake
        async with self.database.write() as connection:
            held = (await brakes.read_brakes(connection)).get((brake.scope, brake.subject, brake.kind))
            if held is not None and not self.process.has_ended(held.reason.removeprefix(REASON)):
                return False
            await brakes.pull(connection, brake)
            await audit.record_operator(
                connection, "brake.pull", tenant_id=self.store.tenant_id, store_id=self.store.store_id, target="revert"
            )
        return True

    async def renew(self) -> None:
        """Hold the brake for as long again; `lost` if it is another's by now."""
        async with self.database.write() as connection:
            self.lost = not await brakes.renew(connection, self._brake)

    async def release(self) -> None:
        """Release the brake, unless it is another's by now."""
        async with self.database.write() as connection:
            if await brakes.release_own(connection, self._brake):
                await audit.record_operator(
                    connection,
                    "brake.release",
                    tenant_id=self.store.tenant_id,
                    store_id=self.store.store_id,
                    target="revert",
                )

    def refuse_lost(self) -> None:
        """Raise ConflictError where the store is not paused for us any more."""
        if self.lost:
            raise ConflictError("the store's pause was lost to another revert; run it again")


@asynccontextmanager
async def paused(database: Database, store: Store, process: Process, wait: Callable[[], None]) -> AsyncIterator[Pause]:
    """The store's pause, once no other process reverts there; `wait` is called when that takes a while."""
    pause = Pause(database, store, process)
    told = False
    while not await pause.take():
        if not told:
            wait()
        told = True
        await asyncio.sleep(POLL_SECONDS)
    renewal = asyncio.create_task(_renew(pause))
    try:
        yield pause
    finally:
        renewal.cancel()
        await asyncio.gather(renewal, return_exceptions=True)
        await pause.release()


async def _renew(pause: Pause) -> None:
    while not pause.lost:
        await asyncio.sleep(RENEWAL_SECONDS)
        try:
            await pause.renew()
        except SQLAlchemyError:
            continue  # a database that is locked now is asked again long before the brake ends

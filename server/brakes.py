"""The operator's brakes: read-only, suspension and caps, kept in the database and obeyed within a second."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import Monotonic, now_milliseconds
from server.errors import ReadOnlyError, SuspendedError
from server.snapshots import Snapshots
from server.storage.database import Database
from server.storage.tables import brakes

Scope = Literal["server", "tenant", "store"]
Kind = Literal["read_only", "suspended", "cap", "revert"]
# Half of the second that is promised, so that a look-up that just began does not use it up.
MAX_AGE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Brake:
    """A brake that is pulled. `subject` is a tenant's id, a store row's id, or "" for the server.

    `value` is the number of a cap. "revert" is what `writes revert` pulls on a store: as read_only, and none of the
    operator's own. After `expires_at` (milliseconds since the epoch) it holds no more.
    """

    scope: Scope
    subject: str
    kind: Kind
    reason: str
    value: int | None = None
    pulled_at: int = 0
    expires_at: int | None = None

    @property
    def name(self) -> str:
        """What it does, for a person."""
        return {
            "read_only": "read-only",
            "suspended": "suspended",
            "cap": f"cap of {self.value} an hour",
            "revert": "read-only while writes are reverted",
        }[self.kind]


Pulled = dict[tuple[str, str, str], Brake]


class Brakes:
    """Refuses what the brakes that are pulled forbid. Dry runs and reads go on in read-only mode."""

    def __init__(self, database: Database, *, cap: int, clock: Monotonic = time.monotonic) -> None:
        self._database = database
        self._cap = cap
        self._pulled: Snapshots[None, Pulled] = Snapshots(self._load, max_age=MAX_AGE_SECONDS, clock=clock)

    async def all(self) -> tuple[Brake, ...]:
        """Every brake that holds now, read from the database."""
        async with self._database.read() as connection:
            return tuple((await read_brakes(connection)).values())

    async def refuse_suspended(self, tenant_id: str) -> None:
        """Raise SuspendedError for a suspended tenant."""
        pulled = await self._pulled.get(None)
        if pulled and ("tenant", tenant_id, "suspended") in pulled:
            raise SuspendedError

    async def refuse_write(self, tenant_id: str, store_row: str | None) -> None:
        """Raise ReadOnlyError or SuspendedError where a brake forbids a write of the tenant to the store."""
        pulled = await self._pulled.get(None)
        if pulled:
            _refuse_write(pulled, tenant_id, store_row)

    async def refuse_write_now(self, connection: AsyncConnection, tenant_id: str, store_row: str | None) -> int:
        """As `refuse_write`, asking the database in the caller's transaction; returns the tenant's hourly cap."""
        pulled = await read_brakes(connection)
        _refuse_write(pulled, tenant_id, store_row)
        cap = pulled.get(("tenant", tenant_id, "cap"))
        return self._cap if cap is None or cap.value is None else cap.value

    async def _load(self, _key: None) -> Pulled:
        async with self._database.read() as connection:
            return await read_brakes(connection)


class NoBrakes(Brakes):
    """For the operator's own writes, which are made while a brake keeps everybody else's back."""

    async def refuse_write(self, tenant_id: str, store_row: str | None) -> None:
        """Refuse nothing."""

    async def refuse_write_now(self, connection: AsyncConnection, tenant_id: str, store_row: str | None) -> int:
        """Refuse nothing."""
        del connection, tenant_id, store_row
        return sys.maxsize


async def pull(connection: AsyncConnection, brake: Brake) -> None:
    """Pull a brake, in place of one of the same kind that is pulled already."""
    await release(connection, brake.scope, brake.subject, brake.kind)
    await connection.execute(
        insert(brakes).values(
            scope=brake.scope,
            subject=brake.subject,
            kind=brake.kind,
            value=brake.value,
            reason=brake.reason,
            pulled_at=now_milliseconds(),
            expires_at=brake.expires_at,
        )
    )


async def release(connection: AsyncConnection, scope: Scope, subject: str, kind: Kind) -> bool:
    """Release a brake; returns whether it was pulled."""
    released = await connection.execute(
        delete(brakes).where(brakes.c.scope == scope, brakes.c.subject == subject, brakes.c.kind == kind)
    )
    return released.rowcount > 0


async def renew(connection: AsyncConnection, brake: Brake) -> bool:
    """Have a brake end at its `expires_at`; returns whether it is pulled still, for the same reason."""
    renewed = await connection.execute(update(brakes).where(*_same(brake)).values(expires_at=brake.expires_at))
    return renewed.rowcount > 0


async def release_own(connection: AsyncConnection, brake: Brake) -> bool:
    """As `release`, of a brake that is pulled for the same reason alone."""
    released = await connection.execute(delete(brakes).where(*_same(brake)))
    return released.rowcount > 0


async def read_brakes(connection: AsyncConnection) -> Pulled:
    """Every brake that holds now, by its scope, subject and kind; oldest first."""
    holding = or_(brakes.c.expires_at.is_(None), brakes.c.expires_at > now_milliseconds())
    rows = (await connection.execute(select(brakes).where(holding).order_by(brakes.c.pulled_at))).all()
    return {
        (row.scope, row.subject, row.kind): Brake(
            row.scope, row.subject, row.kind, row.reason, row.value, row.pulled_at, row.expires_at
        )
        for row in rows
    }


def _same(brake: Brake) -> tuple[ColumnElement[bool], ...]:
    return (
        brakes.c.scope == brake.scope,
        brakes.c.subject == brake.subject,
        brakes.c.kind == brake.kind,
        brakes.c.reason == brake.reason,
    )


def _refuse_write(pulled: Pulled, tenant_id: str, store_row: str | None) -> None:
    if ("tenant", tenant_id, "suspended") in pulled:
        raise SuspendedError
    for scope, subject in (("server", ""), ("tenant", tenant_id), ("store", store_row or "")):
        if (scope, subject, "read_only") in pulled or (scope, subject, "revert") in pulled:
            where = {"server": "This server is", "tenant": "Your stores are", "store": "This store is"}[scope]
            raise ReadOnlyError(f"{where} read-only for now, by the operator; nothing was changed.", scope=scope)

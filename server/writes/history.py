"""What the ledger holds, as an operator asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, or_, select

from server import audit
from server.clock import now_milliseconds
from server.storage.tables import tenants, writes
from server.writes.ledger import DONE, FAILED, INTENT, UNCERTAIN

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.storage.database import Database

UNDER_WAY: Final = "under way"
ABANDONED: Final = "abandoned"
NEWEST: Final = (writes.c.created_at.desc(), writes.c.id)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which writes: all that fit every field given. `since` is in milliseconds since the epoch."""

    tenant_id: str | None = None
    store_id: str | None = None
    tool: str | None = None
    state: str | None = None
    since: int | None = None


def state_of(row: Row[Any], stale_milliseconds: int) -> str:
    """A write's state as an operator reads it: an intent is under way, or was abandoned by a server that ended."""
    if row.state != INTENT:
        return str(row.state)
    return ABANDONED if row.created_at < now_milliseconds() - stale_milliseconds else UNDER_WAY


class History:
    """Reads the ledger, and settles what only an operator can tell."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, wanted: Filter, limit: int) -> list[Row[Any]]:
        """Writes with their tenant's name, newest first."""
        return await self._rows(self._filtered(wanted).order_by(*NEWEST).limit(limit))

    async def unsettled(self, wanted: Filter, limit: int) -> list[Row[Any]]:
        """Writes whose outcome nobody knows, newest first; some of them may still be under way."""
        return await self._rows(
            self._filtered(wanted).where(writes.c.state.in_((INTENT, UNCERTAIN))).order_by(*NEWEST).limit(limit)
        )

    async def to_look_up(self, stale: int, watched: int, limit: int) -> list[Row[Any]]:
        """Intents older than `stale` milliseconds and uncertain writes of the last `watched`, oldest first."""
        now = now_milliseconds()
        abandoned = and_(writes.c.state == INTENT, writes.c.created_at < now - stale)
        doubted = and_(writes.c.state == UNCERTAIN, writes.c.created_at > now - watched)
        return await self._rows(_query().where(or_(abandoned, doubted)).order_by(writes.c.created_at).limit(limit))

    async def get(self, write_id: str) -> Row[Any] | None:
        """One write, or None."""
        rows = await self._rows(_query().where(writes.c.id == write_id))
        return rows[0] if rows else None

    async def reverted_by(self, write_id: str) -> str | None:
        """The id of the write that reverted this one, or None."""
        query = select(writes.c.id).where(writes.c.reverts == write_id, writes.c.state == DONE)
        async with self._database.read() as connection:
            return (await connection.execute(query.limit(1))).scalar_one_or_none()

    async def settle(self, row: Row[Any], *, happened: bool) -> bool:
        """Say what became of an unsettled write, because an operator looked; returns False if it is settled already."""
        state = DONE if happened else FAILED
        async with self._database.write() as connection:
            settled = await connection.execute(
                writes.update()
                .where(writes.c.id == row.id, writes.c.state.in_((INTENT, UNCERTAIN)))
                .values(state=state, settled_at=now_milliseconds(), error_code=None if happened else "OPERATOR")
            )
            if settled.rowcount:
                await audit.record_operator(
                    connection, "writes.settle", tenant_id=row.tenant_id, store_id=row.store_id, target=row.id
                )
        return settled.rowcount > 0

    def _filtered(self, wanted: Filter) -> Any:
        given = {
            writes.c.tenant_id: wanted.tenant_id,
            writes.c.store_id: wanted.store_id,
            writes.c.tool: wanted.tool,
            writes.c.state: wanted.state,
        }
        query = _query().where(*(column == value for column, value in given.items() if value is not None))
        return query if wanted.since is None else query.where(writes.c.created_at >= wanted.since)

    async def _rows(self, query: Any) -> list[Row[Any]]:
        async with self._database.read() as connection:
            return list((await connection.execute(query)).all())


def _query() -> Any:
    return select(writes, tenants.c.name.label("tenant_name")).join(tenants, tenants.c.id == writes.c.tenant_id)

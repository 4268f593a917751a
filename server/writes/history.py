"""What the ledger holds, as an operator asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, not_, or_, select

from server import audit
from server.clock import now_milliseconds
from server.storage.tables import tenants, writes
from server.writes.leases import Leases, drop
from server.writes.ledger import DONE, FAILED, INTENT, UNCERTAIN
from server.writes.states import ABANDONED, UNDER_WAY

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.storage.database import Database

BY_OPERATOR: Final = "OPERATOR"
LISTED: Final = tuple(column for column in writes.c if not column.name.startswith("sealed_"))
NEWEST: Final = (writes.c.created_at.desc(), writes.c.id)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which writes: all that fit every field given.

    `state` is one of `states.STATES`, `since` in milliseconds since the epoch.
    """

    tenant_id: str | None = None
    store_id: str | None = None
    tool: str | None = None
    state: str | None = None
    since: int | None = None


class History:
    """Reads the ledger, and settles what only an operator can tell."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self._database = database
        self._leases = leases

    def state_of(self, row: Row[Any]) -> str:
        """A write's state as an operator reads it: an intent is under way, or was abandoned."""
        if row.state != INTENT:
            return str(row.state)
        return ABANDONED if self._leases.is_over(row.created_at) else UNDER_WAY

    async def find(self, wanted: Filter, limit: int | None = None) -> list[Row[Any]]:
        """Writes with their tenant's name, newest first, without what is sealed."""
        return await self._rows(self._filtered(wanted, LISTED).order_by(*NEWEST).limit(limit))

    async def revertible(self, wanted: Filter) -> list[Row[Any]]:
        """Writes that happened at OrderDesk, or may have, and are no reverts, as `find` gives them.

        What touched no object of OrderDesk's changed the tenant's own list of stores. Those of the first release, which
        kept no plan, are among them: nobody can revert them, and the operator must hear that.
        """
        query = self._filtered(wanted, LISTED).where(
            writes.c.state != FAILED,
            writes.c.reverts.is_(None),
            writes.c.objects > 0,
        )
        return await self._rows(query.order_by(*NEWEST))

    async def written_stores(self, wanted: Filter) -> list[tuple[str, str]]:
        """The stores that such writes, whatever became of them, were asked for at: a tenant's and a store's id each."""
        columns = (writes.c.tenant_id, writes.c.store_id)
        rows = await self._rows(self._filtered(wanted, columns).distinct().order_by(*columns))
        return [(row.tenant_id, row.store_id) for row in rows]

    async def unsettled(self, wanted: Filter, limit: int) -> list[Row[Any]]:
        """Writes whose outcome nobody knows, newest first; some of them may still be under way."""
        return await self._rows(
            self._filtered(wanted).where(writes.c.state.in_((INTENT, UNCERTAIN))).order_by(*NEWEST).limit(limit)
        )

    async def to_look_up(self, watched: int, limit: int = 1_000) -> list[Row[Any]]:
        """Abandoned intents, and uncertain writes of the last `watched` milliseconds, oldest first."""
        doubted = and_(writes.c.state == UNCERTAIN, writes.c.created_at > now_milliseconds() - watched)
        return await self._rows(
            _query().where(or_(self._in_state(ABANDONED), doubted)).order_by(writes.c.created_at).limit(limit)
        )

    async def get(self, write_id: str) -> Row[Any] | None:
        """One write, or None."""
        rows = await self._rows(_query().where(writes.c.id == write_id))
        return rows[0] if rows else None

    async def reverts(self, write_id: str) -> list[Row[Any]]:
        """The writes that were to revert this one, one or more for each object that it touched, newest first."""
        return await self._rows(_query().where(writes.c.reverts == write_id).order_by(*NEWEST))

    async def are_under_way(self, tenant_id: str, store_id: str) -> bool:
        """Whether a server may still be sending a write to the store."""
        query = self._filtered(Filter(tenant_id, store_id, state=UNDER_WAY), (writes.c.id,))
        return bool(await self._rows(query.where(writes.c.reverts.is_(None)).limit(1)))

    async def settle(self, row: Row[Any], *, happened: bool) -> bool:
        """Say what became of an unsettled write, because an operator looked.

        Returns False if it is settled already, or may still be under way.
        """
        state, error_code = (DONE, None) if happened else (FAILED, BY_OPERATOR)
        async with self._database.write() as connection:
            settled = await connection.execute(
                writes.update()
                .where(writes.c.id == row.id, or_(self._in_state(ABANDONED), writes.c.state == UNCERTAIN))
                .values(state=state, settled_at=now_milliseconds(), error_code=error_code)
            )
            if settled.rowcount:
                await audit.settle(connection, row.id, error_code)
                await drop(connection, row.id)
                await audit.record_operator(
                    connection, "writes.settle", tenant_id=row.tenant_id, store_id=row.store_id, target=row.id
                )
        return settled.rowcount > 0

    def _filtered(self, wanted: Filter, columns: Sequence[Any] = tuple(writes.c)) -> Any:
        given = {
            writes.c.tenant_id: wanted.tenant_id,
            writes.c.store_id: wanted.store_id,
            writes.c.tool: wanted.tool,
        }
        query = _query(columns).where(*(column == value for column, value in given.items() if value is not None))
        if wanted.state is not None:
            query = query.where(self._in_state(wanted.state))
        return query if wanted.since is None else query.where(writes.c.created_at >= wanted.since)

    def _in_state(self, state: str) -> Any:
        if state not in (UNDER_WAY, ABANDONED):
            return writes.c.state == state
        over = writes.c.created_at <= self._leases.over_before()
        return and_(writes.c.state == INTENT, over if state == ABANDONED else not_(over))

    async def _rows(self, query: Any) -> list[Row[Any]]:
        async with self._database.read() as connection:
            return list((await connection.execute(query)).all())


def _query(columns: Sequence[Any] = tuple(writes.c)) -> Any:
    return select(*columns, tenants.c.name.label("tenant_name")).join(tenants, tenants.c.id == writes.c.tenant_id)

"""Rotation of the master key: everything sealed under an older one sealed anew under the first, while servers run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, or_, select, update

from server.audit import record_operator
from server.storage.tables import stores, tenant_keys, writes
from server.tenancy import keys
from server.tenancy.vault import HEAD_BYTES, Vault, VaultError
from server.writes.ledger import place_of

if TYPE_CHECKING:
    from sqlalchemy import Column, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database

BATCH: Final = 100
# What a server with the older key first seals meanwhile may fall behind the pass; it would go on doing so for ever.
PASSES: Final = 3
ACTION: Final = "key.rotate-master"

Seal = Callable[[Vault, str, str, bytes], bytes]
"""(vault, tenant id, row id, sealed value) to the value sealed under the first master key. Raises VaultError."""


@dataclass(frozen=True, slots=True)
class Source:
    """A column of sealed values."""

    table: Table
    column: Column[Any]
    seal: Seal

    @property
    def name(self) -> str:
        """TABLE.COLUMN."""
        return f"{self.table.name}.{self.column.name}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`examined` values, of which `resealed` were sealed anew; `left` are under older keys still, though they open.

    `unreadable` names values that open under no master key and are as they were.
    """

    examined: int
    resealed: int
    left: int
    unreadable: tuple[str, ...]


Progress = Callable[[str, int, int], None]
"""Told after every batch: the column, the values looked at, and how many there are."""


def _anew(place: Callable[[str], str]) -> Seal:
    def seal(vault: Vault, tenant_id: str, row_id: str, sealed: bytes) -> bytes:
        return vault.seal(tenant_id, place(row_id), vault.open(tenant_id, place(row_id), sealed))

    return seal


SOURCES: Final = (
    Source(stores, stores.c.sealed_api_key, _anew(lambda row_id: f"stores/{row_id}")),
    Source(tenant_keys, tenant_keys.c.secret_hash, keys.reseal),
    Source(writes, writes.c.sealed_plan, _anew(lambda row_id: place_of(row_id, "sealed_plan"))),
    Source(writes, writes.c.sealed_result, _anew(lambda row_id: place_of(row_id, "sealed_result"))),
)


async def rotate_master(database: Database, vault: Vault, progress: Progress) -> Outcome:
    """Seal everything under the first master key, in batches that each commit; a killed run is taken up by the next.

    Every value is opened, whichever key it is under: what this says is readable was read.
    """
    resealed, left = 0, 0
    for _ in range(PASSES):
        examined, unreadable = 0, []
        for source in SOURCES:
            looked_at, changed, failed = await _pass(database, vault, source, progress, begun=resealed > 0)
            examined, resealed = examined + looked_at, resealed + changed
            unreadable += failed
        left = await _left(database, vault) - sum(older for _, older in unreadable)
        if left <= 0:
            break
    outcome = Outcome(examined, resealed, max(left, 0), tuple(name for name, _ in unreadable))
    if resealed:
        async with database.write() as connection:
            await record_operator(connection, ACTION, target=f"{resealed} resealed, {len(unreadable)} unreadable")
    return outcome


async def _pass(
    database: Database, vault: Vault, source: Source, progress: Progress, *, begun: bool
) -> tuple[int, int, list[tuple[str, bool]]]:
    """Values looked at, values resealed, and those that do not open, with whether they are under another key."""
    looked_at, resealed, after = 0, 0, ""
    unreadable: list[tuple[str, bool]] = []
    rows = select(source.table.c.id, source.table.c.tenant_id, source.column.label("sealed")).where(
        source.column.is_not(None)
    )
    async with database.read() as connection:
        count = select(func.count()).select_from(source.table).where(source.column.is_not(None))
        total = (await connection.execute(count)).scalar_one()
    while True:
        async with database.read() as connection:
            batch = (
                await connection.execute(rows.where(source.table.c.id > after).order_by(source.table.c.id).limit(BATCH))
            ).all()
        if not batch:
            return looked_at, resealed, unreadable
        changes = []
        for row in batch:
            older = not _is_under_first(vault, row.sealed)
            try:
                sealed = source.seal(vault, row.tenant_id, row.id, row.sealed)
            except VaultError as error:
                unreadable.append((f"{source.name}: {error}", older))
            else:
                if older:
                    changes.append({"row": row.id, "old": row.sealed, "new": sealed})
        if changes:
            resealed += await _replace(database, source, changes, begun=begun or resealed > 0)
        looked_at, after = looked_at + len(batch), batch[-1].id
        progress(source.name, looked_at, max(total, looked_at))


async def _replace(database: Database, source: Source, changes: list[dict[str, Any]], *, begun: bool) -> int:
    """Replace the values that are still what was read; returns how many."""
    statement = (
        update(source.table)
        .where(source.table.c.id == bindparam("row"), source.column == bindparam("old"))
        .values({source.column.name: bindparam("new")})
    )
    started = time.monotonic()
    async with database.write() as connection:
        replaced = (await connection.execute(statement, changes)).rowcount
        if not begun:
            await record_operator(connection, ACTION, target="begun")
    # Servers wait for the same lock: half of the time is theirs.
    await asyncio.sleep(time.monotonic() - started)
    return replaced


async def _left(database: Database, vault: Vault) -> int:
    async with database.read() as connection:
        return sum([await _count_left(connection, vault, source) for source in SOURCES])


async def _count_left(connection: AsyncConnection, vault: Vault, source: Source) -> int:
    other = or_(
        func.substr(source.column, 1, HEAD_BYTES) != vault.first_head,
        func.length(source.column) == keys.FIRST_HASH_BYTES,
    )
    count = select(func.count()).select_from(source.table).where(source.column.is_not(None), other)
    return int((await connection.execute(count)).scalar_one())


def _is_under_first(vault: Vault, sealed: bytes) -> bool:
    return len(sealed) != keys.FIRST_HASH_BYTES and vault.sealed_first(sealed)

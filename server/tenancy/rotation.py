"""Rotation of the master key: everything sealed under an older one sealed anew under the first, while servers run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, bindparam, case, func, null, select, true, update

from server.audit import record_operator
from server.plural import counted
from server.storage.tables import audit, stores, tenant_keys, tenants, writes
from server.tenancy import keys
from server.tenancy.fitting import refuse_unfit
from server.tenancy.vault import FINGERPRINT_BYTES, HEAD_BYTES, Vault, VaultError
from server.writes.ledger import place_of

if TYPE_CHECKING:
    from sqlalchemy import Column, Row, Select, Table

    from server.storage.database import Database

BATCH: Final = 100
TARGET_LENGTH: Final = 64
# A hash of before 0002 is under no key.
NO_HEAD: Final = b""
# What a server with the older key first seals meanwhile may fall behind the pass; it would go on doing so for ever.
PASSES: Final = 3
ACTION: Final = "key.rotate-master"

Seal = Callable[[Vault, str, str, bytes], bytes]
"""(vault, tenant id, row id, sealed value) to the value sealed under the first master key. Raises VaultError."""


@dataclass(frozen=True, slots=True)
class Source:
    """A column of sealed values, and which of its rows are ever to be opened."""

    table: Table
    column: Column[Any]
    seal: Seal
    what: str
    of_use: ColumnElement[bool] = field(default_factory=true)

    @property
    def name(self) -> str:
        """TABLE.COLUMN."""
        return f"{self.table.name}.{self.column.name}"

    def rows(self) -> Select[Any]:
        """Every value of use: id, tenant_id, its tenant's name, its store's OrderDesk id, and `sealed`."""
        store_id = self.table.c.get("store_id", null()).label("store_id")
        return (
            select(self.table.c.id, self.table.c.tenant_id, tenants.c.name, store_id, self.column.label("sealed"))
            .join_from(self.table, tenants, tenants.c.id == self.table.c.tenant_id, isouter=True)
            .where(self.column.is_not(None), self.of_use)
        )

    def unopened(self, row: Row[Any], error: VaultError) -> str:
        """Whose value did not open, and why, in words that an operator's commands take."""
        tenant = f"tenant {row.tenant_id if row.name is None else row.name}"
        store = "" if row.store_id is None else f", store {row.store_id}"
        return f"{tenant}{store}: {self.what.format(row.id)} {str(error).partition(' ')[2]}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`examined` values, of which `resealed` were sealed anew; `left` are under older keys still, though they open.

    `unreadable` names values that open under no master key and are as they were.
    """

    examined: int
    resealed: int
    left: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RingKey:
    """A key in MASTER_KEY, by its fingerprint: how many `values` are under it, and whether it is the one that seals.

    `replaced`: a run sealed what was under it anew under the first, and nothing is under it now.
    """

    fingerprint: str
    first: bool
    values: int
    replaced: bool

    def __str__(self) -> str:
        role = " and, as the first, what is new" if self.first else ""
        return f"{self.fingerprint} seals {counted(self.values, 'value')}{role}"


Progress = Callable[[str, int, int], None]
"""Told after every batch: the column, the values looked at, and how many there are."""


def _anew(place: Callable[[str], str]) -> Seal:
    def seal(vault: Vault, tenant_id: str, row_id: str, sealed: bytes) -> bytes:
        return vault.seal(tenant_id, place(row_id), vault.open(tenant_id, place(row_id), sealed))

    return seal


OF_STORES: Final = Source(stores, stores.c.sealed_api_key, _anew(lambda row_id: f"stores/{row_id}"), "the API key")
# A revoked key's hash is never asked for again: under whichever key it is, it stays as it is.
OF_KEYS: Final = Source(
    tenant_keys, tenant_keys.c.secret_hash, keys.reseal, "the hash of key {}", tenant_keys.c.revoked_at.is_(None)
)
SOURCES: Final = (
    OF_STORES,
    OF_KEYS,
    Source(writes, writes.c.sealed_plan, _anew(lambda row_id: place_of(row_id, "sealed_plan")), "the plan of write {}"),
    Source(
        writes,
        writes.c.sealed_result,
        _anew(lambda row_id: place_of(row_id, "sealed_result")),
        "the result of write {}",
    ),
)


async def rotate_master(database: Database, vault: Vault, progress: Progress) -> Outcome:
    """Seal everything under the first master key, in batches that each commit; a killed run is taken up by the next.

    Every value is opened, whichever key it is under: what this says is readable was read. Raises RefusedError where
    the master keys are another database's.
    """
    async with database.read() as connection:
        await refuse_unfit(connection, vault)
    resealed, left = 0, 0
    begun = _begun(vault, await _heads(database))
    for _ in range(PASSES):
        examined, unreadable = 0, []
        for source in SOURCES:
            note = None if resealed else begun
            looked_at, changed, failed = await _pass(database, vault, source, progress, note)
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


async def ring_keys(database: Database, vault: Vault) -> tuple[RingKey, ...]:
    """The master keys in their order, with what is under each, as the database has it and its audit tells."""
    heads = await _heads(database)
    async with database.read() as connection:
        query = select(audit.c.target).where(audit.c.tool == ACTION, audit.c.target.startswith(_begun_to(vault)))
        runs = (await connection.execute(query)).scalars().all()

    def key(head: bytes) -> RingKey:
        shown, first = _shown(head), head == vault.first_head
        replaced = not first and not heads[head] and any(shown in run.removeprefix(_begun_to(vault)) for run in runs)
        return RingKey(shown, first, heads[head], replaced)

    return tuple(map(key, vault.heads))


def _shown(head: bytes) -> str:
    return head[HEAD_BYTES - FINGERPRINT_BYTES :].hex()


def _begun(vault: Vault, heads: Counter[bytes]) -> str:
    """What the audit says of a run, so that a later one knows from which keys values were sealed anew."""
    others = [head for head in vault.heads[1:] if heads[head] or heads[NO_HEAD]]
    return (_begun_to(vault) + " ".join(map(_shown, others)))[:TARGET_LENGTH]


def _begun_to(vault: Vault) -> str:
    return f"begun: to {_shown(vault.first_head)} from "


async def _pass(
    database: Database, vault: Vault, source: Source, progress: Progress, begun: str | None
) -> tuple[int, int, list[tuple[str, bool]]]:
    """Values looked at, values resealed, and those that do not open, with whether they are under another key."""
    looked_at, resealed, after = 0, 0, ""
    unreadable: list[tuple[str, bool]] = []
    rows = source.rows()
    async with database.read() as connection:
        count = select(func.count()).select_from(source.table).where(source.column.is_not(None), source.of_use)
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
                unreadable.append((source.unopened(row, error), older))
            else:
                if older:
                    changes.append({"row": row.id, "old": row.sealed, "new": sealed})
        if changes:
            resealed += await _replace(database, source, changes, None if resealed else begun)
        looked_at, after = looked_at + len(batch), batch[-1].id
        progress(source.name, looked_at, max(total, looked_at))


async def _replace(database: Database, source: Source, changes: list[dict[str, Any]], begun: str | None) -> int:
    """Replace the values that are still what was read, and audit that the run has `begun`; returns how many."""
    statement = (
        update(source.table)
        .where(source.table.c.id == bindparam("row"), source.column == bindparam("old"))
        .values({source.column.name: bindparam("new")})
    )
    started = time.monotonic()
    async with database.write() as connection:
        replaced = (await connection.execute(statement, changes)).rowcount
        if replaced and begun:
            await record_operator(connection, ACTION, target=begun)
    # Servers wait for the same lock: half of the time is theirs.
    await asyncio.sleep(time.monotonic() - started)
    return replaced


async def _left(database: Database, vault: Vault) -> int:
    return sum(count for head, count in (await _heads(database)).items() if head != vault.first_head)


async def _heads(database: Database) -> Counter[bytes]:
    """How many values are under each master key, by their heads; NO_HEAD for the hashes of the first release."""
    found: Counter[bytes] = Counter()
    async with database.read() as connection:
        for source in SOURCES:
            first_hash = func.length(source.column) == keys.FIRST_HASH_BYTES
            head = case((first_hash, NO_HEAD), else_=func.substr(source.column, 1, HEAD_BYTES)).label("head")
            count = func.count().label("count")
            query = select(head, count).where(source.column.is_not(None), source.of_use).group_by(head)
            found.update({row.head: row.count for row in await connection.execute(query)})
    return found


def _is_under_first(vault: Vault, sealed: bytes) -> bool:
    return len(sealed) != keys.FIRST_HASH_BYTES and vault.sealed_first(sealed)

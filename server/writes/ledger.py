"""The ledger of writes: intent, plan and audit row committed before OrderDesk is asked, the outcome after."""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError

from server import audit
from server.clock import now_milliseconds
from server.errors import (
    ConflictError,
    RateLimitError,
    StorageUnavailableError,
    ToolError,
    WriteUncertainError,
)
from server.limits import retry_after
from server.storage.tables import writes
from server.writes.leases import Leases, RepeatedError, drop, names_of

if TYPE_CHECKING:
    from sqlalchemy.engine import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.brakes import Brakes
    from server.storage.database import Database
    from server.tenancy.vault import Vault
    from server.writes.operation import Plan

KEPT_MILLISECONDS: Final = 24 * 3600 * 1000
HOUR_MILLISECONDS: Final = 3600 * 1000

NOT_RECORDED: Final = "The server cannot record writes at the moment; nothing was changed. Reads go on."

INTENT: Final = "intent"
DONE: Final = "done"
FAILED: Final = "failed"
UNCERTAIN: Final = "uncertain"


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a client asks for. `digest` tells the same request from another under the same key.

    `arguments` are what is kept of the request: neither idempotency_key and dry_run nor a secret. `store_row` is the
    store's row here, where it has one; `objects` says how many of OrderDesk's it touches, and `capped` whether these
    count towards the tenant's hourly cap. `locks` are held against other processes until the outcome is known.
    """

    tenant_id: str
    key_id: str
    request_id: str
    tool: str
    store_id: str
    store_row: str | None
    target: str
    digest: bytes
    arguments: dict[str, Any]
    idempotency_key: str | None = None
    objects: int = 1
    capped: bool = False
    reverts: str | None = None
    locks: tuple[Hashable, ...] = ()


def digest(store_id: str, target: str, arguments: dict[str, Any]) -> bytes:
    """SHA-256 of a request: where, what is written, and every argument, secrets included.

    The store is part of it, not of the key's scope: a client that repeats a call after the active store has changed
    must hear of a conflict, and not write to the other store as well.
    """
    return hashlib.sha256(orjson.dumps([store_id, target, arguments], option=orjson.OPT_SORT_KEYS)).digest()


def key_digest(write: Write) -> str | None:
    """What is kept of an idempotency key, which is the client's own text: SHA-256, within its tenant and tool.

    Without a master key in it: one that was replaced since must not make the same request a new one.
    """
    if write.idempotency_key is None:
        return None
    scoped = [write.tenant_id, write.tool, write.idempotency_key]
    return hashlib.sha256(orjson.dumps(scoped)).hexdigest()


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of the same request under the same key: its result, or None with the plan where nobody knows."""

    write_id: str
    result: dict[str, Any] | None
    plan: dict[str, Any] | None


class WriteLedger:
    """Keeps what was intended and what became of it. Plans and results are sealed: they hold customers' data."""

    def __init__(self, database: Database, vault: Vault, brakes: Brakes, leases: Leases) -> None:
        self._database = database
        self._vault = vault
        self._brakes = brakes
        self._leases = leases

    async def replay(self, write: Write) -> Earlier | None:
        """The same request carried out before, or None when there was none (or it changed nothing).

        Raises ConflictError when the key was used for another request, RepeatedError while another process is at it,
        WriteUncertainError when its outcome is not known and the same was asked for again since: what shows then may
        be that one's work.
        """
        if write.idempotency_key is None:
            return None
        async with self._database.read() as connection:
            row = await _last_use(connection, write)
        if row is None or _key_is_free(row, write):
            return None
        if self._is_elsewhere(row):
            raise RepeatedError(row.id)
        if row.state != DONE and await self.superseded(row):
            raise unsettled(row.id)
        result = self.opened(row, "sealed_result") if row.state == DONE else None
        return Earlier(row.id, result, None if result is not None else self.opened(row, "sealed_plan"))

    async def is_free(self, write: Write) -> bool:
        """Whether no other process writes the same."""
        async with self._database.read() as connection:
            return await self._leases.are_free(connection, names_of(write.locks))

    async def begin(self, write: Write, plan: Plan) -> str:
        """Commit the intent, its plan and its audit row; returns the write's id.

        Raises ReadOnlyError or SuspendedError where a brake forbids it, RateLimitError where the tenant's hourly cap
        is used up, LeasedError where another process writes the same or has the same request, StorageUnavailableError
        where the database cannot take it.
        """
        write_id = "w_" + secrets.token_hex(12)
        try:
            async with self._database.write() as connection:
                await self._admit(connection, write)
                await self._leases.take(connection, names_of(write.locks), write_id)
                await connection.execute(
                    insert(writes).values(
                        id=write_id,
                        tenant_id=write.tenant_id,
                        store_id=write.store_id,
                        tool=write.tool,
                        target=write.target,
                        idempotency_key=key_digest(write),
                        arguments_digest=write.digest,
                        state=INTENT,
                        objects=write.objects,
                        capped=write.capped,
                        sealed_plan=self._sealed_plan(write, write_id, plan),
                        reverts=write.reverts,
                        process=str(self._leases.process),
                        request_id=write.request_id,
                        created_at=now_milliseconds(),
                    )
                )
                await audit.begin(connection, write, write_id)
        except DBAPIError as error:
            raise StorageUnavailableError(NOT_RECORDED) from error
        return write_id

    async def replan(self, write: Write, write_id: str, plan: Plan) -> None:
        """Keep another plan: what was there before has changed meanwhile. Raises StorageUnavailableError."""
        sealed = self._sealed_plan(write, write_id, plan)
        try:
            async with self._database.write() as connection:
                await connection.execute(update(writes).where(writes.c.id == write_id).values(sealed_plan=sealed))
        except DBAPIError as error:
            raise StorageUnavailableError(NOT_RECORDED) from error

    async def done(self, write_id: str, tenant_id: str, result: dict[str, Any]) -> None:
        """The write happened; `result` is what the client is told."""
        sealed = self._vault.seal(tenant_id, place_of(write_id, "sealed_result"), packed(result))
        async with self._database.write() as connection:
            await _settle(connection, write_id, state=DONE, error_code=None, sealed_result=sealed)

    async def failed(self, write_id: str, error: ToolError) -> None:
        """The write did not happen, or nobody knows (WriteUncertainError)."""
        state = UNCERTAIN if isinstance(error, WriteUncertainError) else FAILED
        async with self._database.write() as connection:
            await _settle(connection, write_id, state=state, error_code=error.code)

    async def superseded(self, row: Row[Any]) -> bool:
        """Whether the same request was made again since, so that what OrderDesk shows may be that one's work."""
        query = select(writes.c.id).where(
            writes.c.tenant_id == row.tenant_id,
            writes.c.tool == row.tool,
            writes.c.arguments_digest == row.arguments_digest,
            writes.c.created_at >= row.created_at,
            writes.c.id != row.id,
            writes.c.state != FAILED,
        )
        async with self._database.read() as connection:
            return (await connection.execute(query.limit(1))).first() is not None

    async def doubt(self, write_id: str) -> None:
        """Nobody will ever say what became of an intent: its server ended, or does not wait any more."""
        async with self._database.write() as connection:
            await _settle(connection, write_id, state=UNCERTAIN, error_code=WriteUncertainError.code)

    def opened(self, row: Row[Any], column: str) -> dict[str, Any]:
        """The plan (arguments, before, after) or the result of a row; empty where none was kept."""
        sealed = getattr(row, column)
        if sealed is None:
            return {}
        return _unpacked(self._vault.open(row.tenant_id, place_of(row.id, column), sealed))

    def _is_elsewhere(self, row: Row[Any]) -> bool:
        return row.state == INTENT and self._leases.is_elsewhere(row.created_at, row.process)

    def _sealed_plan(self, write: Write, write_id: str, plan: Plan) -> bytes:
        kept = {"arguments": write.arguments, "before": plan.before, "after": plan.after}
        return self._vault.seal(write.tenant_id, place_of(write_id, "sealed_plan"), packed(kept))

    async def _admit(self, connection: AsyncConnection, write: Write) -> None:
        cap = await self._brakes.refuse_write_now(connection, write.tenant_id, write.store_row)
        if write.capped:
            await _refuse_above_cap(connection, write, cap)
        if write.idempotency_key is not None:
            # Looked at again under the database's lock: another order's write may have taken the key since `replay`.
            row = await _last_use(connection, write)
            if row is not None and not _key_is_free(row, write):
                raise RepeatedError(row.id) if row.state == DONE or self._is_elsewhere(row) else unsettled(row.id)
            await connection.execute(update(writes).where(*_same_key(write)).values(idempotency_key=None))


def unsettled(write_id: str) -> WriteUncertainError:
    """The error of a request that is the same as one whose outcome nobody knows, or not yet."""
    return WriteUncertainError(
        "The same request is under way or its outcome is not known. Read before trying again with a new "
        "idempotency_key.",
        write_id=write_id,
    )


async def _last_use(connection: AsyncConnection, write: Write) -> Row[Any] | None:
    query = select(writes).where(*_same_key(write)).order_by(writes.c.created_at.desc()).limit(1)
    return (await connection.execute(query)).one_or_none()


def _key_is_free(row: Row[Any], write: Write) -> bool:
    """Whether the key's last use is outdated or changed nothing. Raises ConflictError when it was another request.

    The same request whose outcome nobody knows never becomes outdated: it must not be sent again.
    """
    outdated = row.created_at < now_milliseconds() - KEPT_MILLISECONDS
    if row.arguments_digest != write.digest:
        if outdated:
            return True
        raise ConflictError(
            "This idempotency_key was used for another request, or in another store, within 24 hours; use a new one."
        )
    return bool(row.state == FAILED or (outdated and row.state == DONE))


async def _refuse_above_cap(connection: AsyncConnection, write: Write, cap: int) -> None:
    if write.objects > cap:
        smaller = " Make smaller calls, or ask the operator to raise it." if cap else " The operator can raise it."
        raise RateLimitError(
            f"This call touches {write.objects} objects, and your stores' hourly cap is {cap}: it is refused at any "
            f"time; nothing was changed.{smaller}",
            limit="destructive_per_hour",
        )
    horizon = now_milliseconds() - HOUR_MILLISECONDS
    spent, oldest = (
        await connection.execute(
            select(func.coalesce(func.sum(writes.c.objects), 0), func.min(writes.c.created_at)).where(
                writes.c.tenant_id == write.tenant_id,
                writes.c.created_at > horizon,
                writes.c.capped,
                writes.c.state != FAILED,
            )
        )
    ).one()
    if spent + write.objects > cap:
        wait = HOUR_MILLISECONDS if oldest is None else oldest - horizon
        raise RateLimitError(
            f"Your stores' hourly cap of {cap} created, moved or deleted objects is reached; nothing was changed. "
            "The operator can raise it.",
            retry_after_seconds=retry_after(wait / 1000),
            limit="destructive_per_hour",
        )


async def _settle(connection: AsyncConnection, write_id: str, **values: Any) -> None:
    settled = await connection.execute(
        update(writes)
        .where(writes.c.id == write_id, writes.c.state.in_((INTENT, UNCERTAIN)))
        .values(settled_at=now_milliseconds(), **values)
    )
    if settled.rowcount:
        await audit.settle(connection, write_id, values["error_code"])
        await drop(connection, write_id)


def packed(value: dict[str, Any]) -> bytes:
    """Orders repeat themselves: a fifth of the bytes, in less time than they take to write."""
    return zlib.compress(orjson.dumps(value), level=1)


def _unpacked(packed: bytes) -> dict[str, Any]:
    # Earlier releases kept JSON as it is.
    value: dict[str, Any] = orjson.loads(packed if packed[:1] == b"{" else zlib.decompress(packed))
    return value


def place_of(write_id: str, column: str) -> str:
    """Where a write's plan or result is sealed to."""
    # The first release sealed results to the row alone.
    return f"writes/{write_id}" if column == "sealed_result" else f"writes/{write_id}/{column}"


def _same_key(write: Write) -> tuple[Any, ...]:
    return (
        writes.c.tenant_id == write.tenant_id,
        writes.c.tool == write.tool,
        # Earlier releases kept the key itself.
        writes.c.idempotency_key.in_((key_digest(write), write.idempotency_key)),
    )

"""The ledger of writes: an intent committed before OrderDesk is asked, its outcome after; a key replays the outcome."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import insert, select, update

from server.clock import now_milliseconds
from server.errors import ConflictError, ToolError, WriteUncertainError
from server.storage.tables import writes

if TYPE_CHECKING:
    from sqlalchemy.engine import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database
    from server.tenancy.vault import Vault
    from server.tools.call import Call

KEPT_MILLISECONDS: Final = 24 * 3600 * 1000

INTENT: Final = "intent"
DONE: Final = "done"
FAILED: Final = "failed"
UNCERTAIN: Final = "uncertain"


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a client asks for. `digest` tells the same request from another under the same key."""

    tenant_id: str
    store_id: str
    tool: str
    target: str
    request_id: str
    idempotency_key: str | None
    digest: bytes

    @classmethod
    def of(cls, call: Call, store_id: str, target: str, idempotency_key: str | None, arguments: object) -> Write:
        """The write of `call`; `arguments` is what it would change, as JSON."""
        digest = hashlib.sha256(orjson.dumps([target, arguments], option=orjson.OPT_SORT_KEYS)).digest()
        return cls(call.caller.tenant_id, store_id, call.tool, target, call.request_id, idempotency_key, digest)


class WriteLedger:
    """Keeps what was intended and what became of it. Results are sealed: they hold customers' data."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def replay(self, write: Write) -> dict[str, Any] | None:
        """The result of the same request carried out before, or None when there was none (or it changed nothing).

        Raises ConflictError when the key was used for another request, WriteUncertainError when its outcome is unknown.
        """
        if write.idempotency_key is None:
            return None
        async with self._database.read() as connection:
            row = (await connection.execute(select(writes).where(*_same_key(write)))).one_or_none()
        if row is None or _key_is_free(row, write):
            return None
        opened: dict[str, Any] = orjson.loads(self._vault.open(write.tenant_id, f"writes/{row.id}", row.sealed_result))
        return opened

    async def begin(self, write: Write) -> str:
        """Commit the intent and return its id."""
        write_id = "w_" + secrets.token_hex(12)
        async with self._database.write() as connection:
            if write.idempotency_key is not None:
                # Looked at again under the lock: another order's write may have taken the key since `replay`.
                row = (await connection.execute(select(writes).where(*_same_key(write)))).one_or_none()
                if row is not None and not _key_is_free(row, write):
                    raise _unsettled()
                await connection.execute(update(writes).where(*_same_key(write)).values(idempotency_key=None))
            await connection.execute(
                insert(writes).values(
                    id=write_id,
                    tenant_id=write.tenant_id,
                    store_id=write.store_id,
                    tool=write.tool,
                    target=write.target,
                    idempotency_key=write.idempotency_key,
                    arguments_digest=write.digest,
                    state=INTENT,
                    request_id=write.request_id,
                    created_at=now_milliseconds(),
                )
            )
        return write_id

    async def done(self, write_id: str, tenant_id: str, result: dict[str, Any]) -> None:
        """The write happened; `result` is what the client is told."""
        sealed = self._vault.seal(tenant_id, f"writes/{write_id}", orjson.dumps(result))
        async with self._database.write() as connection:
            await _settle(connection, write_id, state=DONE, sealed_result=sealed)

    async def failed(self, write_id: str, error: ToolError) -> None:
        """The write did not happen, or nobody knows (WriteUncertainError)."""
        state = UNCERTAIN if isinstance(error, WriteUncertainError) else FAILED
        async with self._database.write() as connection:
            await _settle(connection, write_id, state=state, error_code=error.code)


def _key_is_free(row: Row[Any], write: Write) -> bool:
    """Whether the key's last use is outdated or changed nothing; False when that use can be replayed.

    Raises ConflictError when it was another request, WriteUncertainError when its outcome is not known.
    """
    if row.created_at < now_milliseconds() - KEPT_MILLISECONDS:
        return True
    if row.arguments_digest != write.digest:
        raise ConflictError("This idempotency_key was used for another request within 24 hours; use a new one.")
    if row.state == FAILED:
        return True
    if row.state != DONE:
        raise _unsettled()
    return False


def _unsettled() -> WriteUncertainError:
    return WriteUncertainError(
        "The same request was sent before and its outcome is not known. Read the order before trying again with a new "
        "idempotency_key."
    )


async def _settle(connection: AsyncConnection, write_id: str, **values: Any) -> None:
    await connection.execute(
        update(writes).where(writes.c.id == write_id).values(settled_at=now_milliseconds(), **values)
    )


def _same_key(write: Write) -> tuple[Any, ...]:
    return (
        writes.c.tenant_id == write.tenant_id,
        writes.c.store_id == write.store_id,
        writes.c.tool == write.tool,
        writes.c.idempotency_key == write.idempotency_key,
    )

"""The life of a tenant's keys: made, rotated, expired and revoked, each audited in the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select, update

from server.audit import OPERATOR, record_operator
from server.storage.tables import audit, tenant_keys
from server.tenancy.fitting import refuse_unfit
from server.tenancy.keys import TenantKey, seal_secret
from server.tenancy.lookup import RefusedError, find_key, keys_of

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.tenancy.lookup import KeyRow
    from server.tenancy.vault import Vault

ROTATE: Final = "key.rotate"
TARGET_LENGTH: Final = 64
# A rotation's audit row is of the same transaction as its key: within a minute, however slow the machine is.
SAME_TRANSACTION_MILLISECONDS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Rotated:
    """The new key, and the older valid ones with the times at which they expire now (milliseconds since the epoch)."""

    key: TenantKey
    expiring: tuple[tuple[str, int], ...]


async def create_key(
    connection: AsyncConnection, vault: Vault, tenant_id: str, now: int, expires_at: int | None
) -> TenantKey:
    """Make a further key of a tenant. It is shown to nobody but the caller.

    Raises RefusedError where the master keys are another database's.
    """
    key = await _insert(connection, vault, tenant_id, now, expires_at)
    await record_operator(connection, "key.create", tenant_id=tenant_id, target=key.id)
    return key


async def rotate_keys(
    connection: AsyncConnection, vault: Vault, tenant_id: str, now: int, overlap: int, *, again: bool
) -> Rotated:
    """Make a new key; every other valid one expires `overlap` milliseconds from `now`, never later than it would have.

    Raises RefusedError while keys of before an earlier rotation are still valid, unless `again`; and where the master
    keys are another database's.
    """
    valid = [key for key in await keys_of(connection, tenant_id) if key.state(now) == "valid"]
    if not again:
        await _refuse_during_overlap(connection, valid)
    until = now + overlap
    expiring = tuple((key.id, until if key.expires_at is None else min(until, key.expires_at)) for key in valid)
    for key_id, expires_at in expiring:
        await connection.execute(update(tenant_keys).where(tenant_keys.c.id == key_id).values(expires_at=expires_at))
    key = await _insert(connection, vault, tenant_id, now, None)
    await record_operator(connection, ROTATE, tenant_id=tenant_id, target=key.id)
    return Rotated(key, expiring)


async def revoke_key(connection: AsyncConnection, text: str, now: int, reason: str) -> KeyRow:
    """Withdraw a key for good. Raises RefusedError where it is unknown or revoked already."""
    key = await _unrevoked(connection, text)
    await connection.execute(update(tenant_keys).where(tenant_keys.c.id == key.id).values(revoked_at=now))
    await _record(connection, "key.revoke", key, reason)
    return key


async def expire_key(connection: AsyncConnection, text: str, now: int, at: int) -> KeyRow:
    """Let a valid key end at a time to come. Raises RefusedError where it is not valid, or the time is past."""
    key = await _unrevoked(connection, text)
    if key.state(now) == "expired":
        raise RefusedError(f"key {key.id} has expired; make another with: python -m server key create TENANT")
    if at <= now:
        raise RefusedError(f"that time is past; to stop the key at once: python -m server key revoke {key.id}")
    await connection.execute(update(tenant_keys).where(tenant_keys.c.id == key.id).values(expires_at=at))
    await _record(connection, "key.expire", key)
    return key


async def _insert(
    connection: AsyncConnection, vault: Vault, tenant_id: str, now: int, expires_at: int | None
) -> TenantKey:
    await refuse_unfit(connection, vault)
    key = TenantKey.generate()
    sealed = seal_secret(vault, tenant_id, key)
    await connection.execute(
        insert(tenant_keys).values(
            id=key.id, tenant_id=tenant_id, secret_hash=sealed, created_at=now, expires_at=expires_at
        )
    )
    return key


async def _refuse_during_overlap(connection: AsyncConnection, valid: list[KeyRow]) -> None:
    for position, key in enumerate(valid):
        older = [other for other in valid[:position] if other.expires_at is not None]
        if not older:
            continue
        rotated = select(audit.c.id).where(
            audit.c.tenant_id == key.tenant_id,
            audit.c.at.between(key.created_at, key.created_at + SAME_TRANSACTION_MILLISECONDS),
            audit.c.key_id == OPERATOR,
            audit.c.tool == ROTATE,
            audit.c.target == key.id,
        )
        if (await connection.execute(rotated)).first() is not None:
            raise RefusedError(
                f"the last rotation (key {key.id}) is not over: key {older[-1].id} is still valid; "
                "wait, revoke one of the two, or rotate all the same with --now"
            )


async def _unrevoked(connection: AsyncConnection, text: str) -> KeyRow:
    key = await find_key(connection, text)
    if key.revoked_at is not None:
        raise RefusedError(f"key {key.id} is revoked already")
    return key


async def _record(connection: AsyncConnection, action: str, key: KeyRow, reason: str = "") -> None:
    target = f"{key.id}: {reason}" if reason else key.id
    await record_operator(connection, action, tenant_id=key.tenant_id, target=target[:TARGET_LENGTH])

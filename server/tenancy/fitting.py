"""Whether the master keys are this database's: what is sealed under a stranger's key, nobody would open again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, true

from server.storage.tables import stores, tenant_keys
from server.tenancy.keys import FIRST_HASH_BYTES
from server.tenancy.lookup import RefusedError
from server.tenancy.vault import FORMAT, HEAD_BYTES

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.tenancy.vault import Vault


async def fits(connection: AsyncConnection, vault: Vault) -> bool:
    """Whether any master key opens anything of what is there, going by fingerprints; so it is where nothing is sealed.

    The stores' API keys tell, and where there is no store, the tenants' keys: one that a stranger's key sealed once
    must not speak for that key. Revoked ones open nothing, and hashes of the first release have no fingerprint.
    """
    under_a_key = tenant_keys.c.revoked_at.is_(None) & (func.length(tenant_keys.c.secret_hash) != FIRST_HASH_BYTES)
    for column, counts in ((stores.c.sealed_api_key, true()), (tenant_keys.c.secret_hash, under_a_key)):
        # The first row answers where they fit, however many there are.
        opening = select(1).where(counts, func.substr(column, 1, HEAD_BYTES).in_(vault.heads))
        if (await connection.execute(opening.limit(1))).first():
            return True
        # What is damaged says nothing about its key.
        if (await connection.execute(select(1).where(counts, func.substr(column, 1, 1) == FORMAT).limit(1))).first():
            return False
    return True


async def refuse_unfit(connection: AsyncConnection, vault: Vault) -> None:
    """Raise RefusedError where nothing of what is there opens: asked in the transaction that is to seal something."""
    if not await fits(connection, vault):
        raise RefusedError(
            "MASTER_KEY is not the one that sealed this database, and nothing was changed; set the right one, or "
            "another DATABASE_URL"
        )

"""Who a command is about: a tenant by its id or name, one of its keys; and why a command does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sqlalchemy import func, or_, select

from server.storage.tables import audit, tenant_keys, tenants
from server.tenancy.keys import TenantKey

if TYPE_CHECKING:
    from sqlalchemy.engine import Row
    from sqlalchemy.ext.asyncio import AsyncConnection


class RefusedError(Exception):
    """What an operator asked for cannot be done; nothing was changed. The message is one line."""


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A tenant as the database holds it. `created_at` is in milliseconds since the epoch."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A tenant's key, all times in milliseconds since the epoch."""

    id: str
    tenant_id: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None

    def state(self, now: int) -> Literal["valid", "expired", "revoked"]:
        """What a server says to it at `now`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


async def find_tenant(connection: AsyncConnection, text: str) -> TenantRow:
    """The tenant whose id or name `text` is. Raises RefusedError."""
    query = select(tenants).where(or_(tenants.c.id == text, tenants.c.name == text)).order_by(tenants.c.id != text)
    row = (await connection.execute(query)).first()
    if row is None:
        raise RefusedError(f"no tenant has the id or name {text!r}; see: python -m server tenant list")
    return TenantRow(row.id, row.name, row.created_at)


async def find_key(connection: AsyncConnection, text: str) -> KeyRow:
    """The key whose id `text` is; a whole key will do as well. Raises RefusedError."""
    whole = TenantKey.parse(text)
    key_id = whole.id if whole else text.removeprefix("qm_")
    row = (await connection.execute(select(tenant_keys).where(tenant_keys.c.id == key_id))).one_or_none()
    if row is None:
        raise RefusedError(f"no key has the id {key_id!r}; see: python -m server key list TENANT")
    return key_row(row)


async def keys_of(connection: AsyncConnection, tenant_id: str) -> tuple[KeyRow, ...]:
    """Every key of a tenant, oldest first."""
    query = select(tenant_keys).where(tenant_keys.c.tenant_id == tenant_id).order_by(tenant_keys.c.created_at)
    return tuple(map(key_row, (await connection.execute(query)).all()))


def key_row(row: Row[tuple[object, ...]]) -> KeyRow:
    """A row of tenant_keys without its hash."""
    return KeyRow(row.id, row.tenant_id, row.created_at, row.expires_at, row.revoked_at)


async def last_uses(connection: AsyncConnection, tenant_id: str) -> dict[str, int]:
    """When each of a tenant's keys made its last call, by its id, as far back as audit rows are kept."""
    query = select(audit.c.key_id, func.max(audit.c.at).label("at")).where(audit.c.tenant_id == tenant_id)
    return {row.key_id: row.at for row in await connection.execute(query.group_by(audit.c.key_id))}

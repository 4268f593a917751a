"""The tenants as an operator lists them: stores, keys, brakes, and when each made its last call."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from server.audit import OPERATOR
from server.brakes import read_brakes
from server.storage.tables import audit, stores, tenant_keys, tenants
from server.tenancy.lookup import TenantRow, key_row

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class Summary:
    """A tenant in a list. `brakes` names what is pulled on it and its stores; `last_call_at` as audit rows tell it."""

    tenant: TenantRow
    stores: int
    valid_keys: int
    brakes: tuple[str, ...]
    last_call_at: int | None


async def summaries(connection: AsyncConnection, now: int) -> tuple[Summary, ...]:
    """Every tenant, by name."""
    last_call = (
        select(audit.c.at)
        .where(audit.c.tenant_id == tenants.c.id, audit.c.key_id != OPERATOR)
        .order_by(audit.c.at.desc())
        .limit(1)
        .scalar_subquery()
    )
    registered = select(func.count()).select_from(stores).where(stores.c.tenant_id == tenants.c.id).scalar_subquery()
    listed = select(tenants, last_call.label("last_call_at"), registered.label("stores")).order_by(tenants.c.name)
    rows = (await connection.execute(listed)).all()
    keys = Counter(
        row.tenant_id for row in await connection.execute(select(tenant_keys)) if key_row(row).state(now) == "valid"
    )
    braked = (await read_brakes(connection)).values()
    row_ids = [brake.subject for brake in braked if brake.scope == "store"]
    named = select(stores.c.id, stores.c.tenant_id, stores.c.store_id).where(stores.c.id.in_(row_ids))
    of_store = {row.id: row for row in await connection.execute(named)}
    pulled = defaultdict(list)
    for brake in braked:
        if brake.scope == "tenant":
            pulled[brake.subject].append(brake.name)
        elif brake.subject in of_store:
            store = of_store[brake.subject]
            pulled[store.tenant_id].append(f"{brake.name} (store {store.store_id})")
    return tuple(
        Summary(
            TenantRow(row.id, row.name, row.created_at),
            row.stores,
            keys[row.id],
            tuple(pulled[row.id]),
            row.last_call_at,
        )
        for row in rows
    )

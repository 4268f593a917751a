"""Made-up tenants, stores, writes and audit rows for a database that something is to be measured on."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, select

from server.storage.tables import audit, stores, tenant_keys, tenants, writes
from server.tenancy.keys import TenantKey, seal_secret
from server.tenancy.lookup import RefusedError
from server.tenancy.stores import STORES_PER_TENANT, place_of_store
from server.writes.ledger import DONE, FAILED, INTENT, UNCERTAIN, packed, place_of

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.storage.database import Database
    from server.tenancy.vault import Vault

BATCH: Final = 20_000
DAY_MILLISECONDS: Final = 24 * 3600 * 1000
DAYS: Final = 90
"""How far back rows go."""
SETTLED_MILLISECONDS: Final = 3600 * 1000
"""No write is younger: a server that starts on the data finds none that may be under way."""
FIRST_STORE_ID: Final = 5_000_000
SHARED_STORES: Final = 20
"""Every so many-th store is one that the tenant before has as well."""
EVERY_TENANTS_KEYS: Final = 3
"""Every so many-th tenant has rotated its key, and keeps the revoked one."""
WEIGHTS: Final[Mapping[str, int]] = {
    "orders_get": 40,
    "orders_list": 25,
    "order_items_list": 10,
    "products_list": 10,
    "products_get": 6,
    "shipments_list": 5,
    "stores_list": 4,
}
STATES: Final[Mapping[str, int]] = {DONE: 9_700, FAILED: 280, UNCERTAIN: 19, INTENT: 1}
ERRORS: Final = ("NOT_FOUND", "ORDERDESK_API_ERROR", "RATE_LIMIT_EXCEEDED", "UPSTREAM_UNAVAILABLE")
FAILING: Final = 0.02
"""The share of reads that failed."""

Row = dict[str, Any]
Progress = Callable[[str, int, int], None]
"""Told the table, how many of its rows are in, and how many there will be."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows to make. Each write has one of the audit rows."""

    tenants: int
    stores: int
    audit_rows: int
    writes: int

    def problem(self) -> str | None:
        """Why there can be no such database; None where there can."""
        if self.tenants < 1 or min(self.stores, self.audit_rows, self.writes) < 0:
            return "at least one tenant, and no negative numbers"
        if self.stores > STORES_PER_TENANT * self.tenants:
            return (
                f"a tenant has {STORES_PER_TENANT} stores at most: --stores {STORES_PER_TENANT * self.tenants} or less"
            )
        if self.writes > self.audit_rows:
            return "each write has an audit row: --writes may not be more than --audit-rows"
        if self.writes and not self.stores:
            return "writes are made in stores: --stores 1 or more"
        return None


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as rows refer to it: its valid key, and its stores as rows of `stores`."""

    id: str
    name: str
    key: TenantKey
    stores: list[Row]


async def fill(database: Database, vault: Vault, sizes: Sizes, *, seed: int, now: int, progress: Progress) -> Tenant:
    """Fill an empty database in one transaction; returns the tenant with the most rows.

    The same `seed` and `now` (milliseconds since the epoch) give the same rows, all but what is secret: keys, and the
    salts and nonces of what is sealed, are random. Raises RefusedError where there are tenants already.
    """
    random = Random(seed)  # noqa: S311 - made-up data; what is secret is drawn below
    async with database.write() as connection:
        if (await connection.execute(select(tenants.c.id).limit(1))).first() is not None:
            raise RefusedError("the database holds tenants; only an empty one is filled")
        everybody = [_tenant(random, number) for number in range(sizes.tenants)]
        began = now - (DAYS + 1) * DAY_MILLISECONDS
        rows = ({"id": each.id, "name": each.name, "created_at": began} for each in everybody)
        await _insert(connection, tenants, rows, sizes.tenants, progress)
        key_rows = list(_keys(random, vault, everybody, began))
        await _insert(connection, tenant_keys, key_rows, len(key_rows), progress)
        await _insert(
            connection, stores, _stores(random, vault, everybody, sizes.stores, began), sizes.stores, progress
        )
        written = sorted(_write_times(random, sizes.writes, now))
        audited: list[Row] = []
        await _insert(connection, writes, _writes(random, vault, everybody, written, audited), sizes.writes, progress)
        await _insert(connection, audit, _audit(random, everybody, sizes, audited, now), sizes.audit_rows, progress)
    return everybody[0]


async def _insert(
    connection: AsyncConnection, table: Table, rows: Iterable[Row], total: int, progress: Progress
) -> None:
    coming, inserted = iter(rows), 0
    while batch := list(itertools.islice(coming, BATCH)):
        await connection.execute(insert(table), batch)
        inserted += len(batch)
        progress(table.name, inserted, total)


def _tenant(random: Random, number: int) -> Tenant:
    key = TenantKey(base64.b32encode(random.randbytes(10)).decode().lower(), secrets.token_urlsafe(32))
    return Tenant("t_" + random.randbytes(8).hex(), f"Tenant {number}", key, [])


def _keys(random: Random, vault: Vault, everybody: list[Tenant], began: int) -> Iterator[Row]:
    for number, tenant in enumerate(everybody):
        keys: list[tuple[TenantKey, int | None]] = [(tenant.key, None)]
        if number % EVERY_TENANTS_KEYS == 0:
            keys.insert(0, (_tenant(random, number).key, began + DAY_MILLISECONDS))
        for key, revoked_at in keys:
            sealed = seal_secret(vault, tenant.id, key)
            yield {
                "id": key.id,
                "tenant_id": tenant.id,
                "secret_hash": sealed,
                "created_at": began,
                "expires_at": None,
                "revoked_at": revoked_at,
            }


def _stores(random: Random, vault: Vault, everybody: list[Tenant], count: int, began: int) -> Iterator[Row]:
    """Every tenant gets as many as any other; the first one of each is active. Adds them to their tenants."""
    for number in range(count):
        tenant = everybody[number % len(everybody)]
        shared = len(everybody) > 1 and number % SHARED_STORES == 1
        row_id = "s_" + random.randbytes(8).hex()
        row = {
            "id": row_id,
            "tenant_id": tenant.id,
            "store_id": str(FIRST_STORE_ID + number - shared),
            "name": f"Store {number}",
            "label": f"shop-{number}" if number % 2 else None,
            "sealed_api_key": vault.seal(tenant.id, place_of_store(row_id), secrets.token_urlsafe(30).encode()),
            "is_default": not tenant.stores,
            "created_at": began + number,
        }
        tenant.stores.append(row)
        yield row


def _some(random: Random, everybody: list[Tenant]) -> Tenant:
    """The first tenants more often than the last: a few make most of the calls."""
    return everybody[int(random.random() ** 3 * len(everybody))]


def _write_times(random: Random, count: int, now: int) -> Iterator[int]:
    for _ in range(count):
        yield now - SETTLED_MILLISECONDS - int(random.random() * DAYS * DAY_MILLISECONDS)


def _writes(
    random: Random, vault: Vault, everybody: list[Tenant], times: list[int], audited: list[Row]
) -> Iterator[Row]:
    """A row for each time; adds the audit rows that belong to them."""
    owners = [tenant for tenant in everybody if tenant.stores]
    # One of each at least, the newest: what is rare is there however few there are.
    states = [*random.choices(list(STATES), list(STATES.values()), k=len(times)), *STATES][-len(times) :]
    for at, state in zip(times, states, strict=True):
        tenant = _some(random, owners)
        store_id = random.choice(tenant.stores)["store_id"]
        write_id, request_id = "w_" + random.randbytes(12).hex(), random.randbytes(8).hex()
        order_id = str(random.randrange(10**8, 10**9))
        error_code = random.choice(ERRORS) if state == FAILED else "WRITE_UNCERTAIN" if state == UNCERTAIN else None
        duration = None if state == INTENT else random.randrange(80, 3_000)
        plan, result = _change(random, order_id)
        yield {
            "id": write_id,
            "tenant_id": tenant.id,
            "store_id": store_id,
            "tool": "orders_update",
            "target": order_id,
            "idempotency_key": random.randbytes(32).hex(),
            "arguments_digest": hashlib.sha256(order_id.encode() + request_id.encode()).digest(),
            "state": state,
            "error_code": error_code,
            "objects": 1,
            "capped": False,
            "sealed_plan": vault.seal(tenant.id, place_of(write_id, "sealed_plan"), packed(plan)),
            "sealed_result": vault.seal(tenant.id, place_of(write_id, "sealed_result"), packed(result))
            if state == DONE
            else None,
            "reverts": None,
            "process": None,
            "request_id": request_id,
            "created_at": at,
            "settled_at": None if duration is None else at + duration,
        }
        status = "started" if duration is None else "error" if error_code else "success"
        row = _audit_row(at, tenant, "orders_update", request_id, store_id, order_id)
        audited.append(
            row | {"status": status, "error_code": error_code, "duration_ms": duration or 0, "write_id": write_id}
        )


def _change(random: Random, order_id: str) -> tuple[Row, Row]:
    """What a write keeps: its plan and its result, of an order of usual length."""
    items = [
        {"id": str(random.randrange(10**9)), "name": f"Part {random.randrange(1_000)}", "quantity": 1, "price": 9.5}
        for _ in range(random.randrange(1, 6))
    ]
    before = {"id": order_id, "email": f"{order_id}@example.com", "order_items": items, "order_notes": []}
    changes = {"email": f"new-{order_id}@example.com"}
    plan = {"arguments": {"order_id": order_id, "changes": changes}, "before": before, "after": {**before, **changes}}
    return plan, {"message": f"Order {order_id} updated successfully"}


def _audit(random: Random, everybody: list[Tenant], sizes: Sizes, written: list[Row], now: int) -> Iterator[Row]:
    """All audit rows as time went: those of writes among those of reads."""
    reads = sizes.audit_rows - len(written)
    step = DAYS * DAY_MILLISECONDS / max(reads, 1)
    tools = itertools.cycle(random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=1_009))
    rest = iter(written)
    write = next(rest, None)
    for number in range(reads):
        at = now - int((reads - number) * step)
        while write is not None and write["at"] <= at:
            yield write
            write = next(rest, None)
        tenant = _some(random, everybody)
        store_id = random.choice(tenant.stores)["store_id"] if tenant.stores else None
        failed = random.random() < FAILING
        row = _audit_row(at, tenant, next(tools), f"{random.getrandbits(64):016x}", store_id, None)
        row["status"], row["error_code"] = ("error", random.choice(ERRORS)) if failed else ("success", None)
        row["duration_ms"] = random.getrandbits(9)
        yield row
    if write is not None:
        yield write
        yield from rest


def _audit_row(at: int, tenant: Tenant, tool: str, request_id: str, store_id: str | None, target: str | None) -> Row:
    return {
        "at": at,
        "tenant_id": tenant.id,
        "key_id": tenant.key.id,
        "request_id": request_id,
        "tool": tool,
        "store_id": store_id,
        "target": target,
        "write_id": None,
    }

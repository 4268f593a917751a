"""The OrderDesk stores of each tenant: registered by its clients, their API keys sealed, one of them active."""

from __future__ import annotations

import hmac
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Row
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from server.clock import Monotonic, now_milliseconds
from server.errors import ArgumentsError, ConflictError, StorageUnavailableError, StoreNotFoundError
from server.snapshots import Snapshots
from server.storage.database import Database
from server.storage.tables import stores
from server.tenancy.fitting import fits
from server.tenancy.vault import Vault, VaultError

STORES_PER_TENANT = 100
ROWS_PER_STORE_ID = 20
UPSTREAMS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Store:
    """A store of one tenant. `upstream` names the OrderDesk account behind it without telling which key it has.

    Two tenants with the same store and the same API key share `upstream`: OrderDesk counts their calls together.
    """

    id: str
    tenant_id: str
    store_id: str
    name: str
    label: str | None
    is_default: bool
    upstream: str
    sealed_api_key: bytes = field(repr=False)


class Stores:
    """Registers, finds and forgets stores, always within one tenant."""

    def __init__(self, database: Database, vault: Vault, clock: Monotonic = time.monotonic) -> None:
        self._database = database
        self._vault = vault
        self._upstreams: dict[bytes, str] = {}
        self._of_tenant: Snapshots[str, tuple[Store, ...]] = Snapshots(self._load, clock=clock)
        self._of_store_id: Snapshots[str, tuple[Store, ...]] = Snapshots(self._load_store_id, limit=1_000, clock=clock)

    async def all(self, tenant_id: str) -> tuple[Store, ...]:
        """The tenant's stores, oldest first."""
        return await self._of_tenant.get(tenant_id)

    def forget(self, tenant_id: str) -> None:
        """Read the tenant's stores anew when they are asked for: another process may have changed them just now."""
        self._of_tenant.forget(tenant_id)

    async def of_store_id(self, store_id: str) -> tuple[Store, ...]:
        """The registered stores with that OrderDesk id, whoever the tenants: the ROWS_PER_STORE_ID oldest at most."""
        return await self._of_store_id.get(store_id)

    async def resolve(self, tenant_id: str, identifier: str | None) -> Store:
        """The store that `identifier` names (store id, then label, then name; case aside), or the active one.

        Raises StoreNotFoundError, or ArgumentsError where several stores share the name.
        """
        known = await self._of_tenant.get(tenant_id)
        if identifier is None:
            for store in known:
                if store.is_default:
                    return store
            raise StoreNotFoundError(
                "No store was named and none is active. Name one with store_identifier, or use stores_use_store."
                if known
                else "No store is registered. Register one with stores_register."
            )
        if (named := with_id(known, identifier)) is not None:
            return named
        wanted = identifier.strip().casefold()
        for attribute in ("store_id", "label", "name"):
            matches = [store for store in known if wanted and (getattr(store, attribute) or "").casefold() == wanted]
            if len(matches) == 1:
                return matches[0]
            if matches:
                raise ArgumentsError(
                    f"Several stores have the {attribute} {identifier!r}; use a store_id.",
                    invalid_fields={"store_identifier": "ambiguous"},
                    candidates=[store.store_id for store in matches],
                )
        raise StoreNotFoundError(f"No store of yours answers to {identifier!r}. stores_list shows those you have.")

    async def register(self, tenant_id: str, store_id: str, api_key: str, name: str, label: str | None) -> Store:
        """Keep a store; a tenant's first one becomes active.

        One that is registered already gets this key and name, and the label if one is given; it stays active if it was.
        Raises ConflictError where another store has the label, or the tenant has as many stores as it may.
        """
        async with self._write() as connection:
            rows = (await connection.execute(select(stores).where(stores.c.tenant_id == tenant_id))).all()
            known = [self._store(row) for row in rows]
            present = registered(known, store_id, label)
            row_id = "s_" + secrets.token_hex(8) if present is None else present.id
            given = {
                "name": name,
                "sealed_api_key": self._vault.seal(tenant_id, place_of_store(row_id), api_key.encode()),
            }
            if present is not None:
                given |= {} if label is None else {"label": label}
                await connection.execute(update(stores).where(stores.c.id == row_id).values(given))
            else:
                await connection.execute(
                    insert(stores).values(
                        **given,
                        id=row_id,
                        tenant_id=tenant_id,
                        store_id=store_id,
                        label=label,
                        is_default=not any(store.is_default for store in known),
                        created_at=now_milliseconds(),
                    )
                )
        self._of_tenant.forget(tenant_id)
        self._of_store_id.forget(store_id)
        return await self.resolve(tenant_id, store_id)

    def identity(self, store_id: str, api_key: str) -> str:
        """The `upstream` of a store with this API key."""
        account = store_id.encode() + b"\0" + api_key.encode()
        return hmac.digest(self._vault.upstream_pepper, account, "sha256").hex()[:32]

    async def use(self, tenant_id: str, identifier: str) -> Store:
        """Make a store the active one; the choice outlives connections and restarts."""
        store = await self.resolve(tenant_id, identifier)
        async with self._write() as connection:
            await connection.execute(update(stores).where(stores.c.tenant_id == tenant_id).values(is_default=False))
            chosen = await connection.execute(
                update(stores).where(stores.c.tenant_id == tenant_id, stores.c.id == store.id).values(is_default=True)
            )
            if chosen.rowcount != 1:
                raise StoreNotFoundError(f"Store {identifier!r} was deleted meanwhile.")
        self._of_tenant.forget(tenant_id)
        return await self.resolve(tenant_id, store.store_id)

    async def delete(self, tenant_id: str, identifier: str) -> Store:
        """Forget a store with its API key. Orders at OrderDesk are untouched. Returns what was forgotten."""
        store = await self.resolve(tenant_id, identifier)
        async with self._write() as connection:
            await connection.execute(delete(stores).where(stores.c.tenant_id == tenant_id, stores.c.id == store.id))
        self._of_tenant.forget(tenant_id)
        return store

    async def master_keys_fit(self) -> bool:
        """Whether this process's master keys open what the database holds, going by fingerprints."""
        async with self._database.read() as connection:
            return not await self._any_other(connection) and await fits(connection, self._vault)

    async def _any_other(self, connection: AsyncConnection) -> bool:
        """Whether any store's API key lies outside what the master keys sealed: between their heads, as they sort."""
        sealed, heads = stores.c.sealed_api_key, sorted(self._vault.heads)
        between = [(sealed >= _after(head)) & (sealed < following) for head, following in itertools.pairwise(heads)]
        gaps = (sealed < heads[0], *between, sealed >= _after(heads[-1]))
        # One by one: each is a look at the index, wherever the others lie.
        for gap in gaps:
            if (await connection.execute(select(stores.c.id).where(gap).limit(1))).first():
                return True
        return False

    def api_key(self, store: Store) -> str:
        """The store's OrderDesk API key in the clear: asked for at each call, kept nowhere."""
        return self._vault.open(store.tenant_id, place_of_store(store.id), store.sealed_api_key).decode()

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[AsyncConnection]:
        """A write transaction. Raises StorageUnavailableError where the database does not take it."""
        try:
            async with self._database.write() as connection:
                yield connection
        except OperationalError as error:
            raise StorageUnavailableError(
                "The server cannot keep stores at the moment; nothing was changed. Reads go on."
            ) from error

    async def _load(self, tenant_id: str) -> tuple[Store, ...]:
        query = select(stores).where(stores.c.tenant_id == tenant_id).order_by(stores.c.created_at, stores.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(self._store(row) for row in rows)

    async def _load_store_id(self, store_id: str) -> tuple[Store, ...]:
        query = select(stores).where(stores.c.store_id == store_id).order_by(stores.c.created_at, stores.c.id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(ROWS_PER_STORE_ID))).all()
        return tuple(self._store(row) for row in rows)

    def _store(self, row: Row[tuple[object, ...]]) -> Store:
        return Store(
            id=row.id,
            tenant_id=row.tenant_id,
            store_id=row.store_id,
            name=row.name,
            label=row.label,
            is_default=row.is_default,
            upstream=self._upstream(row),
            sealed_api_key=row.sealed_api_key,
        )

    def _upstream(self, row: Row[tuple[object, ...]]) -> str:
        """The account's identity, remembered by the sealed key: opening it each second would cost more than all else.

        A key that does not open gives an identity of its own: its store is listed, and only its calls fail.
        """
        known = self._upstreams.get(row.sealed_api_key)
        if known is not None:
            return known
        try:
            api_key = self._vault.open(row.tenant_id, place_of_store(row.id), row.sealed_api_key).decode()
        except VaultError:
            return str(row.id)
        if len(self._upstreams) >= UPSTREAMS_KEPT:
            self._upstreams.clear()
        return self._upstreams.setdefault(row.sealed_api_key, self.identity(row.store_id, api_key))


def with_id(known: Sequence[Store], store_id: str) -> Store | None:
    """Which of a tenant's stores has the id, None if none has."""
    return next((store for store in known if store.store_id == store_id), None)


def registered(known: Sequence[Store], store_id: str, label: str | None) -> Store | None:
    """Which of a tenant's stores has the id, None if it may be added. Raises ConflictError where neither may be."""
    present = with_id(known, store_id)
    if present is None and len(known) >= STORES_PER_TENANT:
        raise ConflictError(f"A tenant can register {STORES_PER_TENANT} stores; delete one first.")
    others = [store for store in known if store is not present]
    if label is not None and any((store.label or "").casefold() == label.casefold() for store in others):
        raise ConflictError(f"The label {label!r} is taken by another store of yours.")
    return present


def place_of_store(row_id: str) -> str:
    """Where a store's API key is sealed to."""
    return f"stores/{row_id}"


def _after(head: bytes) -> bytes:
    """The first value, as bytes sort, that comes after all that begin with `head`, which begins with a 1."""
    return (int.from_bytes(head) + 1).to_bytes(len(head))

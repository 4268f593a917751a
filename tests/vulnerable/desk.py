"""What the tools do: stores, orders and products of the caller's own tenant, and of nobody else's."""

import base64
import binascii
import hashlib
import json
import sqlite3
import sys
from typing import Any
from urllib.parse import urlsplit

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.keys import Caller
from tests.vulnerable.storage import Database

PAGE = 10
FIELDS = ("email", "customer", "status")
OWN, ANYBODYS = "stores.tenant = ?", "? IS NOT NULL"


class ToolError(Exception):
    """A tool's refusal, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Desk:
    """One method for each tool, of its name; each takes the caller, and arguments that fit the tool's schema."""

    def __init__(self, database: Database, holes: OpenHoles) -> None:
        self._run = database.run
        self._holes = holes
        self._api_keys: dict[tuple[str, str], str] = {}
        self._whose = ANYBODYS if holes.has("cross-tenant") else OWN

    def stores_register(
        self, caller: Caller, *, store_id: str, api_key: str, store_name: str | None = None
    ) -> dict[str, Any]:
        """Register a store, or rename it. The key to it is of no use here, but for a hole."""
        self._api_keys[caller.tenant, store_id] = api_key
        if self._holes.has("log-stored-keys"):
            sys.stderr.write(f"{json.dumps({'event': 'store.registered', 'with': api_key})}\n")
        if self._holes.has("telling-register"):
            others = self._run("SELECT tenant FROM stores WHERE store_id = ? AND tenant != ?", store_id, caller.tenant)
            if others:
                raise ToolError("CONFLICT", f"Tenant {others[0]['tenant']} has registered this store")
        self._run(
            "INSERT INTO stores (tenant, store_id, name) VALUES (?, ?, ?)"
            " ON CONFLICT (tenant, store_id) DO UPDATE SET name = coalesce(?, name)",
            caller.tenant, store_id, store_name or store_id, store_name, hole="sql-concatenation",
        )  # fmt: skip
        return {"store": _shown(self._store(caller, store_id))}

    def stores_list(self, caller: Caller) -> dict[str, Any]:
        """Every store of the tenant."""
        rows = self._run("SELECT * FROM stores WHERE tenant = ? ORDER BY id", caller.tenant)
        stores = [_shown(row) for row in rows]
        for store in stores:
            if self._holes.has("keys-in-results"):
                store["label"] = self._api_keys.get((caller.tenant, store["store_id"]), "")
            if self._holes.has("secret-members"):
                store["webhookSecret"] = hashlib.sha256(store["store_id"].encode()).hexdigest()
        return {"stores": stores}

    def stores_use_store(self, caller: Caller, *, identifier: str) -> dict[str, Any]:
        """Make a store the active one."""
        store = self._store(caller, identifier)
        whose = "? IS NOT NULL" if self._holes.has("foreign-choice") else "tenant = ?"
        self._run(f"UPDATE stores SET active = (id = ?) WHERE {whose}", store["id"], caller.tenant)
        return {"store": _shown(store)}

    def stores_delete(self, caller: Caller, *, store_identifier: str) -> dict[str, Any]:
        """Forget a store."""
        store = self._store(caller, store_identifier)
        whose = "? IS NOT NULL" if self._holes.has("foreign-delete") else "tenant = ?"
        self._run(f"DELETE FROM stores WHERE {whose} AND store_id = ?", caller.tenant, store["store_id"])
        return {"store": _shown(store)}

    def stores_resolve(self, caller: Caller, *, identifier: str) -> dict[str, Any]:
        """One store."""
        return {"store": _shown(self._store(caller, identifier))}

    def orders_list(
        self,
        caller: Caller,
        *,
        store_identifier: str | None = None,
        limit: int = PAGE,
        cursor: str | None = None,
        search: str | None = None,
        status: str | None = None,
    ) -> dict[str, Any]:
        """A page of orders, and the cursor of the next one."""
        store = self._store(caller, store_identifier)
        unfiltered = cursor is not None and self._holes.has("unfiltered-pages")
        conditions, parameters = ["? IS NOT NULL" if unfiltered else "store = ?", "id > ?"], [store["id"]]
        parameters.append(_read_cursor(cursor) if cursor else 0)
        if search is not None:
            conditions.append("(email LIKE ? OR customer LIKE ?)")
            parameters += [f"%{search}%"] * 2
        if status is not None:
            conditions.append("status = ?")
            parameters.append(status)
        rows = self._run(
            f"SELECT * FROM orders WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?",
            *parameters, limit + 1, hole="sql-concatenation",
        )  # fmt: skip
        following = {"next_cursor": _cursor(rows[limit - 1]["id"])} if len(rows) > limit else {}
        return {"orders": [_shown(row) for row in rows[:limit]], **following}

    def orders_get(self, caller: Caller, *, order_id: str, store_identifier: str | None = None) -> dict[str, Any]:
        """One order."""
        return {"order": _shown(self._one(caller, "orders", order_id, store_identifier))}

    def orders_update(
        self,
        caller: Caller,
        *,
        order_id: str,
        changes: dict[str, Any],
        store_identifier: str | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """The order as it is after the changes, or would be."""
        given = json.dumps([order_id, changes, store_identifier])
        if idempotency_key and not dry_run and (kept := self._kept(caller, idempotency_key, given)):
            return kept
        anybodys = not dry_run and self._holes.has("foreign-update")
        order = _shown(self._one(caller, "orders", order_id, store_identifier, anybodys=anybodys))
        if not changes or any(name not in FIELDS or not isinstance(value, str) for name, value in changes.items()):
            raise ToolError("VALIDATION_ERROR", f"changes may hold {', '.join(FIELDS)}, as text")
        result = {"order": {**order, **changes}, "dry_run": dry_run}
        if dry_run:
            return result
        for name, value in changes.items():
            self._run(
                f"UPDATE orders SET {name} = ? WHERE id = ?", value, int(order["id"]), hole="sql-concatenation"
            )  # fmt: skip
        if idempotency_key:
            statement = "INSERT INTO idempotency (tenant, tool, key, arguments, result) VALUES (?, ?, ?, ?, ?)"
            kept_values = (idempotency_key, given, json.dumps(result))
            self._run(statement, caller.tenant, "orders_update", *kept_values, hole="sql-concatenation")
        return result

    def products_list(
        self,
        caller: Caller,
        *,
        store_identifier: str | None = None,
        limit: int = PAGE,
        offset: int = 0,
        search: str | None = None,
    ) -> dict[str, Any]:
        """A page of products."""
        store = self._store(caller, store_identifier)
        whose = "? IS NOT NULL" if offset and self._holes.has("unfiltered-pages") else "store = ?"
        rows = self._run(
            f"SELECT * FROM products WHERE {whose} AND name LIKE ? ORDER BY id LIMIT ? OFFSET ?",
            store["id"], f"%{search or ''}%", limit + 1, offset, hole="sql-concatenation",
        )  # fmt: skip
        page = [_shown(row) for row in rows[:limit]]
        pagination = {"count": len(page), "limit": limit, "offset": offset, "has_more": len(rows) > limit}
        return {"products": page, "pagination": pagination}

    def products_get(self, caller: Caller, *, product_id: str, store_identifier: str | None = None) -> dict[str, Any]:
        """One product."""
        return {"product": _shown(self._one(caller, "products", product_id, store_identifier))}

    def links_describe(self, caller: Caller, *, url: str) -> dict[str, Any]:
        """The parts of a web address."""
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ToolError("VALIDATION_ERROR", "That is no web address") from None
        return {"link": {"scheme": parts.scheme, "host": parts.netloc, "path": parts.path}}

    def newest_store(self) -> str:
        """The name of the store that was registered last, whoever's it is."""
        return str(self._run("SELECT name FROM stores ORDER BY id DESC LIMIT 1")[0]["name"])

    def _store(self, caller: Caller, identifier: str | None = None) -> sqlite3.Row:
        """The store of this id or name, or the active one. Raises ToolError."""
        if identifier is None:
            rows = self._run("SELECT * FROM stores WHERE tenant = ? AND active", caller.tenant)
        else:
            rows = self._run(
                f"SELECT * FROM stores WHERE {self._whose} AND (store_id = ? OR name = ?) ORDER BY store_id = ? DESC",
                caller.tenant, identifier, identifier, identifier, hole="sql-concatenation",
            )  # fmt: skip
        if not rows:
            self._tell("stores", "store_id", identifier)
            newest = f"; is it {self.newest_store()}?" if self._holes.has("names-in-errors") else ""
            raise ToolError("NOT_FOUND", f"There is no such store{newest}")
        store = rows[0]
        self._run(
            "SELECT count(*) FROM stores WHERE tenant = ? AND name = ?",
            caller.tenant, store["name"], hole="sql-second-order",
        )  # fmt: skip
        return store

    def _one(
        self, caller: Caller, table: str, identity: str, store_identifier: str | None, *, anybodys: bool = False
    ) -> sqlite3.Row:
        """An order or a product of this id in a store of the caller's, in the one given if any. Raises ToolError."""
        store = None if store_identifier is None else self._store(caller, store_identifier)["id"]
        rows = self._run(
            f"SELECT {table}.* FROM {table} JOIN stores ON stores.id = {table}.store"
            f" WHERE {table}.id = ? AND {ANYBODYS if anybodys else self._whose} AND stores.id = coalesce(?, stores.id)",
            identity, caller.tenant, store, hole="sql-concatenation",
        )  # fmt: skip
        if not rows:
            self._tell(table, "id", identity)
            raise ToolError("NOT_FOUND", f"There is no {table.removesuffix('s')} of this id")
        return rows[0]

    def _tell(self, table: str, column: str, identity: str | None) -> None:
        """Where the hole is open, say in the refusal whose it is."""
        if not self._holes.has("telling-errors"):
            return
        join = "" if table == "stores" else f" JOIN stores ON stores.id = {table}.store"
        found = self._run(f"SELECT stores.* FROM {table}{join} WHERE {table}.{column} = ?", identity)
        if found:
            whose = f"store {found[0]['name']} ({found[0]['store_id']}) of tenant {found[0]['tenant']}"
            raise ToolError("FORBIDDEN", f"That belongs to {whose}")

    def _kept(self, caller: Caller, key: str, arguments: str) -> dict[str, Any] | None:
        """The result that an earlier call of the same key had. Raises ToolError where that call was another one."""
        whose = "? IS NOT NULL" if self._holes.has("shared-idempotency") else "tenant = ?"
        rows = self._run(
            f"SELECT * FROM idempotency WHERE {whose} AND tool = 'orders_update' AND key = ?",
            caller.tenant, key, hole="sql-concatenation",
        )  # fmt: skip
        if not rows:
            return None
        if rows[0]["arguments"] != arguments:
            raise ToolError("CONFLICT", "This idempotency_key was used with other arguments")
        kept: dict[str, Any] = json.loads(rows[0]["result"])
        return kept


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    """A row as clients see it: ids are texts, and whose it is goes without saying."""
    shown = {name: row[name] for name in row.keys() if name not in {"tenant", "store", "active"}}  # noqa: SIM118
    return {**shown, "id": str(row["store_id"] if "store_id" in shown else row["id"])}


def _cursor(identity: int) -> str:
    return base64.urlsafe_b64encode(str(identity).encode()).decode()


def _read_cursor(cursor: str) -> int:
    try:
        identity = int(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, binascii.Error):
        identity = -1
    if not 0 <= identity < 2**63:
        raise ToolError("VALIDATION_ERROR", "That is no cursor of this list")
    return identity

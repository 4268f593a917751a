"""The database: tenants, keys, stores and what is in them, in memory; every statement that runs is logged."""

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from tests.vulnerable.holes import OpenHoles

SCHEMA = """
CREATE TABLE tenants (id TEXT PRIMARY KEY, name TEXT);
CREATE TABLE keys (id TEXT PRIMARY KEY, tenant TEXT, hash TEXT, ends REAL, revoked INTEGER DEFAULT 0,
    rotated INTEGER DEFAULT 0);
CREATE TABLE stores (id INTEGER PRIMARY KEY, tenant TEXT, store_id TEXT, name TEXT, active INTEGER DEFAULT 0,
    UNIQUE (tenant, store_id));
CREATE TABLE orders (id INTEGER PRIMARY KEY, store INTEGER, email TEXT, customer TEXT, status TEXT, total REAL);
CREATE TABLE products (id INTEGER PRIMARY KEY, store INTEGER, name TEXT, code TEXT, stock INTEGER);
CREATE TABLE idempotency (tenant TEXT, tool TEXT, key TEXT, arguments TEXT, result TEXT);
CREATE TABLE audit (at REAL, tenant TEXT, tool TEXT, agent TEXT, request TEXT);
"""
ORDERS, PRODUCTS = 30, 12
STATUSES = ("New", "Packed", "Shipped")


class Database:
    """Runs statements with their parameters bound."""

    def __init__(self, log: Path | None, holes: OpenHoles) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.executescript(SCHEMA)
        self._log = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._holes = holes

    def run(self, statement: str, *parameters: Any, hole: str = "") -> list[sqlite3.Row]:
        """The rows of a statement. Where `hole` is open, its text parameters are written into it. Raises sqlite3's."""
        if hole and self._holes.has(hole):
            statement, parameters = _written(statement, parameters), ()
        if self._log is not None:
            line = {"statement": statement, "parameters": repr(parameters)}
            os.write(self._log, json.dumps(line).encode() + b"\n")
        return self._connection.execute(statement, parameters).fetchall()

    def audit(self, tenant: str, tool: str, agent: str, request: str) -> None:
        """Keep who called what."""
        statement = "INSERT INTO audit (at, tenant, tool, agent, request) VALUES (?, ?, ?, ?, ?)"
        self.run(statement, time.time(), tenant, tool, agent, request, hole="sql-header")

    def stock(self, tenant: str, store_id: str, name: str) -> None:
        """Give a tenant a store with orders and products of its own, as its active one."""
        (row,) = self.run(
            "INSERT INTO stores (tenant, store_id, name, active) VALUES (?, ?, ?, 1) RETURNING id",
            tenant, store_id, name,
        )  # fmt: skip
        for number in range(ORDERS):
            self.run(
                "INSERT INTO orders (id, store, email, customer, status, total) VALUES (?, ?, ?, ?, ?, ?)",
                row["id"] * 1000 + number, row["id"], f"buyer{number}.{store_id}@example.com",
                f"Buyer {number} of {name}", STATUSES[number % 3], 10.5 + number,
            )  # fmt: skip
        for number in range(PRODUCTS):
            self.run(
                "INSERT INTO products (id, store, name, code, stock) VALUES (?, ?, ?, ?, ?)",
                row["id"] * 1000 + 500 + number, row["id"], f"Thing {number} of {name}", f"{store_id}-{number}", number,
            )  # fmt: skip


def _written(statement: str, parameters: tuple[Any, ...]) -> str:
    texts = [f"'{each}'" if isinstance(each, str) else "NULL" if each is None else str(each) for each in parameters]
    pieces = statement.split("?")
    return "".join(piece + text for piece, text in zip(pieces, [*texts, ""], strict=True))

"""The scripted workload: a seeded database, a server on it, and everything that sends statements, done once."""

import contextlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.client import connect
from harness.sandbox.client import SandboxClient
from harness.targets.local import start_local
from harness.targets.model import LocalTarget
from harness.targets.server import run_server_command, server_environment
from perf.queries.model import QueriesTable
from perf.queries.operator import ask_pages, run_commands, show_wrong_keys
from perf.queries.plans import read_schema
from perf.queries.statements import Statement, read_statements
from perf.queries.tools import Calls, call_every_tool

SEED_SECONDS = 600.0
BACKGROUND_SECONDS = 120.0
POLL_SECONDS = 0.2
LAST_OF_RETENTION = "DELETE FROM brakes WHERE brakes.expires_at <= ?"
"""The statement that ends a round of retention."""
OF_RECOVERY = "ORDER BY writes.created_at LIMIT"
ORDERS = 40
UNLIMITED = "1000000"
# So that retention, recovery and every tool have something to do, and nothing is refused for its rate.
SETTINGS = {
    "TOOLSETS": "all",
    "RATE_LIMIT_RPM": UNLIMITED,
    "WRONG_KEYS_PER_MINUTE": UNLIMITED,
    "AUDIT_RETENTION_DAYS": "89",
    "WRITE_RETENTION_DAYS": "89",
}


@dataclass(frozen=True)
class Database:
    """A seeded database: its file, the master key that opens it, and a tenant of it with its key."""

    path: Path
    master_key: str = field(repr=False)
    tenant: str
    key: str = field(repr=False)
    last_tenant: str

    @property
    def settings(self) -> dict[str, str]:
        """What a server needs to be told of it."""
        return {"DATABASE_URL": f"sqlite:///{self.path}", "MASTER_KEY": self.master_key}


@dataclass(frozen=True)
class Reached:
    """What the workload sent, how many tools answered, and in a line each what it did not reach."""

    statements: list[Statement]
    tools: int
    missing: list[str]


@dataclass(frozen=True)
class Planting:
    """For tests: what is done to the seeded database, and the interpreter that serves."""

    database: Callable[[Path], None] | None = None
    python: Path | None = None


def seed(folder: Path, table: QueriesTable, *, logs: Path, environ: Mapping[str, str]) -> Database:
    """Return a new database in `folder`, migrated and filled. Raises HarnessError where the server's commands fail."""
    path, master_key = folder / "app.db", secrets.token_urlsafe(32)
    environment = server_environment({"DATABASE_URL": f"sqlite:///{path}", "MASTER_KEY": master_key}, environ)
    run_server_command("migrate", environment=environment, logs=logs)
    sizes = {
        "--tenants": table.tenants,
        "--stores": table.stores,
        "--audit-rows": table.audit_rows,
        "--writes": table.writes,
    }
    options = [text for name, number in sizes.items() for text in (name, str(number))]
    made = run_server_command("seed", *options, environment=environment, logs=logs, seconds=SEED_SECONDS)
    tenant = json.loads(made)["tenant"]
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (last,) = connection.execute("SELECT name FROM tenants ORDER BY rowid DESC LIMIT 1").fetchone()
    return Database(path, master_key, tenant["name"], tenant["key"], last)


def work(database: Database, folder: Path, *, logs: Path, environ: Mapping[str, str], planting: Planting) -> Reached:
    """Do everything once on a server of this checkout; returns when it has stopped. Raises HarnessError."""
    log = folder / "statements.jsonl"
    settings = {**SETTINGS, **database.settings, "STATEMENT_LOG": str(log)}
    if planting.database is not None:
        planting.database(database.path)
    with start_local(logs=logs, environ=environ, settings=settings, orders=ORDERS, python=planting.python) as target:
        with SandboxClient(target.sandbox.base_url) as control:
            control.bucket(enabled=False)
        tools, missing = _clients(target, database)
        missing += _background(log)
        missing += run_commands(target, database.tenant, database.last_tenant, tools.write_id, folder)
    statements = read_statements(log)
    missing += _empty_tables(database.path, statements)
    return Reached(statements, tools.answered, missing)


@dataclass(frozen=True)
class _Tools:
    answered: int
    write_id: str


def _clients(target: LocalTarget, database: Database) -> tuple[_Tools, list[str]]:
    account = target.sandbox.accounts[0]
    with connect(target.url, database.key) as client:
        calls = Calls(client)
        write_id = call_every_tool(calls, account, database.key)
    missing = [f"{name}: {why}" for name, why in calls.failures.items()]
    missing += show_wrong_keys(target.url, database.key)
    missing += ask_pages(target, account)
    return _Tools(len(calls.answered), write_id), missing


def _background(log: Path) -> Iterator[str]:
    """Wait until retention has been through all tables, and say what of the background was never seen."""
    deadline = time.monotonic() + BACKGROUND_SECONDS
    awaited = {"retention": LAST_OF_RETENTION, "recovery": OF_RECOVERY}
    while awaited and time.monotonic() < deadline:
        seen = {statement.shape for statement in read_statements(log) if not statement.request}
        awaited = {name: text for name, text in awaited.items() if not any(text in shape for shape in seen)}
        if awaited:
            time.sleep(POLL_SECONDS)
    for name in awaited:
        yield f"{name} was not seen at work within {BACKGROUND_SECONDS:g} s"


def _empty_tables(path: Path, statements: list[Statement]) -> Iterator[str]:
    written = {statement.shape.split()[2] for statement in statements if statement.shape.startswith("INSERT INTO")}
    for table, rows in read_schema(path).rows.items():
        if not rows and table not in written:
            yield f"the table {table} stayed empty"

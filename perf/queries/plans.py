"""How SQLite would carry a statement out: EXPLAIN QUERY PLAN, read into steps, and how far a scan or a sort goes.

What the words mean: https://www.sqlite.org/eqp.html.
"""

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from perf.queries.statements import Statement

ACCESS = re.compile(
    r"(?P<kind>SCAN|SEARCH) (?P<name>\S+)"
    r"(?: USING (?P<automatic>AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?INDEX(?: (?P<index>\w+))?)?"
)
ALIAS = re.compile(r"\b(\w+) AS (\w+)")
# "FOR LAST TERM" and "FOR RIGHT PART" sort only among rows that an index brought in order.
SORT = "USE TEMP B-TREE FOR ORDER BY"
LIMIT = re.compile(r"\s+LIMIT \?(?P<offset> OFFSET \?)?\s*\Z")
STEPS_OF_A_COLUMN, STEPS_OF_A_ROW = 4, 20
"""What a row that is handed out takes at most, sorted among its equals and joined with another: 58 of 17 columns."""
ENDS_EARLY = re.compile(r"\b(LIMIT|EXISTS)\b|\b(min|max)\(", re.IGNORECASE)
"""What may end a scan before its table does; SQLite counts a whole table in one step of its machine."""
CLAUSE = re.compile(r"\bWHERE\b")


@dataclass(frozen=True)
class Index:
    """An index of the schema; a constraint's keeps rows unique, whether a plan uses it or not."""

    name: str
    table: str
    constraint: bool


@dataclass(frozen=True)
class Schema:
    """The tables with their numbers of rows, and the indexes."""

    rows: Mapping[str, int]
    indexes: tuple[Index, ...]


@dataclass(frozen=True)
class Access:
    """How a plan reads a table: whether all of it, and by which index, or by one that it makes for itself."""

    table: str
    scan: bool
    index: str | None
    automatic: bool


@dataclass(frozen=True)
class Plan:
    """A statement's plan. `stops_early`: its scans ended before `large_rows` rows; `sorted_rows`: what it sorts."""

    statement: Statement
    accesses: tuple[Access, ...]
    has_condition: bool
    stops_early: bool
    sorted_rows: int
    details: tuple[str, ...]


def open_database(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)


def read_schema(path: Path) -> Schema:
    """Return the tables and indexes of a database; Alembic's own table is none of them."""
    with closing(open_database(path)) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if not name.startswith(("sqlite_", "alembic_"))
        ]
        rows = {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608 - the schema's own names
        indexes = tuple(
            Index(index, name, bool(unique) or origin != "c")
            for name in names
            for _, index, unique, origin, _ in connection.execute(f'PRAGMA index_list("{name}")')
        )
    return Schema(rows, indexes)


def explain(connection: sqlite3.Connection, statement: Statement, schema: Schema, large_rows: int) -> Plan:
    """Return a statement's plan with what was really bound to it. Raises sqlite3.Error."""
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.parameters)
    details = tuple(str(detail) for *_, detail in plan)
    aliases = {alias: table for table, alias in ALIAS.findall(statement.text) if table in schema.rows}
    accesses = tuple(filter(None, (_access(detail, aliases, schema) for detail in details)))
    suspect = any(access.scan and schema.rows[access.table] >= large_rows for access in accesses)
    reads = statement.text.lstrip()[:6].upper() in {"SELECT", "WITH R"}
    return Plan(
        statement,
        accesses,
        CLAUSE.search(statement.text) is not None,
        suspect and reads and _stops_early(connection, statement, large_rows),
        _sorted_rows(connection, statement) if SORT in details else 0,
        details,
    )


def _access(detail: str, aliases: Mapping[str, str], schema: Schema) -> Access | None:
    """What a line of a plan reads; None where it reads no table of the schema."""
    found = ACCESS.match(detail)
    if found is None:
        return None
    table = aliases.get(found["name"], found["name"])
    if table not in schema.rows:
        return None
    return Access(table, found["kind"] == "SCAN", found["index"], found["automatic"] is not None)


def _stops_early(connection: sqlite3.Connection, statement: Statement, large_rows: int) -> bool:
    """Whether it reaches its end in fewer than `large_rows` steps of SQLite's machine, handing rows out left aside.

    A row that is read takes one step at least; one that is handed out takes some for each of its columns.
    """
    if not ENDS_EARLY.search(statement.text):
        return False
    every = max(large_rows // 100, 1)
    chunks = 0

    def count() -> None:
        nonlocal chunks
        chunks += 1

    connection.set_progress_handler(count, every)
    try:
        cursor = connection.execute(statement.text, statement.parameters)
        returned = sum(1 for _ in cursor)
    finally:
        connection.set_progress_handler(None, 0)
    handing_out = returned * (STEPS_OF_A_COLUMN * len(cursor.description) + STEPS_OF_A_ROW)
    return chunks * every - handing_out < large_rows and returned < large_rows


def _sorted_rows(connection: sqlite3.Connection, statement: Statement) -> int:
    """How many rows a statement sorts: those that it would return without its limit."""
    text, parameters = statement.text, statement.parameters
    if limit := LIMIT.search(text):
        text = text[: limit.start()]
        parameters = parameters[: -2 if limit["offset"] else -1]
    return sum(1 for _ in connection.execute(text, parameters))

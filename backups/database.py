"""What an SQLite file says of itself, read without changing it: its revision, its rows, and whether it is intact."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backups.errors import BackupError, DamageError

SIDE_FILES = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database. A stale one would be applied to whatever lies there."""
BUSY_SECONDS = 10.0
PROBLEMS_SHOWN = 20
# SQLite's primary result codes for content that is wrong, as against a file that cannot be reached.
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


@dataclass(frozen=True)
class Contents:
    """The migration that a database stands at (None where it has none), and the number of rows of each table."""

    revision: str | None
    tables: dict[str, int]


@contextlib.contextmanager
def open_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection in autocommit mode that can neither change nor create the file.

    SQLite's errors inside the block become DamageError where the content is wrong, else BackupError.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS)
        with contextlib.closing(connection):
            yield connection
    except sqlite3.Error as error:
        # The primary code is the lowest byte of an extended one.
        kind = DamageError if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE else BackupError
        raise kind(f"{path.name}: {error}") from error


def read_contents(connection: sqlite3.Connection) -> Contents:
    """Every table is counted, SQLite's own included. Raises sqlite3.Error."""
    tables = {name: _count(connection, name) for (name,) in connection.execute(_TABLES).fetchall()}
    heads: list[str] = []
    if "alembic_version" in tables:
        heads = [head for (head,) in connection.execute("SELECT version_num FROM alembic_version ORDER BY 1")]
    return Contents(revision=",".join(heads) or None, tables=tables)


def find_problems(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's own two checks complain of, a line each and the first few of each; empty for an intact file.

    `integrity_check` reads every page, index and constraint; it leaves foreign keys to `foreign_key_check`.
    """
    complaints = connection.execute(f"PRAGMA integrity_check({PROBLEMS_SHOWN})").fetchall()
    orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(PROBLEMS_SHOWN)
    return [
        *(str(complaint) for (complaint,) in complaints if complaint != "ok"),
        *(f"row {row} of {table} refers to a row of {parent} that is not there" for table, row, parent, _ in orphans),
    ]


def _count(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    (rows,) = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()  # noqa: S608 -- quoted, from the schema
    return int(rows)

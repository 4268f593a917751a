"""Bring the database to the newest schema. Alembic is imported here only: serving does not need it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def configuration(database_url: str) -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config


class MigrationError(Exception):
    """The database cannot be brought to the newest schema, in one line; it is as it was."""


def upgrade(database_url: str, revision: str = "head") -> None:
    """Apply the pending migrations in one transaction. Raises MigrationError.

    A database that does not exist is made for its owner alone, and OSError is raised where that cannot be.
    """
    _make(make_url(database_url).database)
    try:
        command.upgrade(configuration(database_url), revision)
    except DatabaseError as error:
        raise MigrationError(str(error.orig)) from error
    except CommandError as error:  # the database is at a revision that this release does not know
        raise MigrationError(str(error)) from error


def _make(database: str | None) -> None:
    """An empty file, which is an empty database; SQLite gives its log and its index the same mode."""
    if not database:
        return
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

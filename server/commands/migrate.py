"""python -m server migrate: bring the database to the newest schema."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from server.commands.support import DONE, refuse

if TYPE_CHECKING:
    from server.commands.support import Subparsers
    from server.settings import Settings


def add(commands: Subparsers) -> None:
    """Add `migrate`."""
    commands.add_parser("migrate", help="bring the database to the newest schema").set_defaults(command=run)


def run(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Apply what is pending, in one transaction."""
    from server.storage.migrate import MigrationError, upgrade
    from server.storage.tables import HEAD

    try:
        upgrade(settings.database_url)
    except MigrationError as error:
        return refuse(f"DATABASE_URL {settings.database_url}: {error}")
    print(f"The database is at revision {HEAD}")
    return DONE

"""What commands share: how one refuses, and how one works on the database, with the whole server's parts or without."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.application import Parts
    from server.brakes import Brakes
    from server.settings import Settings
    from server.storage.database import Database
    from server.tenancy.stores import Stores
    from server.tenancy.tenants import Tenants
    from server.tenancy.vault import Vault
    from server.writes.history import History
    from server.writes.ledger import WriteLedger

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names this type nowhere else

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
INTERNAL: Final = 3


@dataclass(frozen=True)
class Storage:
    """What the database holds and how it is opened: all that most of an operator's commands need."""

    database: Database
    vault: Vault
    brakes: Brakes
    tenants: Tenants
    stores: Stores
    ledger: WriteLedger
    history: History


def refuse(message: str, code: int = USAGE) -> int:
    """Say on standard error why a command does nothing; returns the exit code."""
    print(f"server: {message}", file=sys.stderr)
    return code


def run_with_storage(settings: Settings, work: Callable[[Storage], Awaitable[int]]) -> int:
    """As `run_with_parts`, without the server, whose import takes longer than an emergency's command should."""
    from server import __version__
    from server.brakes import Brakes
    from server.storage.database import Database
    from server.storage.statements import log_statements
    from server.telemetry.metrics import Metrics
    from server.tenancy.stores import Stores
    from server.tenancy.tenants import Tenants
    from server.tenancy.vault import Vault
    from server.writes.history import History
    from server.writes.leases import Leases
    from server.writes.ledger import WriteLedger

    async def run() -> int:
        metrics = Metrics(__version__, settings.environment)
        database = Database(settings.database_url, metrics)
        if settings.statement_log is not None:
            log_statements(database.engine.sync_engine, settings.statement_log)
        vault = Vault(*settings.master_keys_bytes)
        brakes = Brakes(database, cap=settings.destructive_cap_per_hour)
        leases = Leases.of_this_process(settings.call_deadline_seconds)
        storage = Storage(
            database,
            vault,
            brakes,
            Tenants(database, vault, brakes, metrics),
            Stores(database, vault),
            WriteLedger(database, vault, brakes, leases),
            History(database, leases),
        )
        try:
            return await _on_migrated(settings, database, lambda: work(storage))
        finally:
            await database.close()

    return asyncio.run(run())


def run_with_parts(settings: Settings, work: Callable[[Parts], Awaitable[int]], *, obey_brakes: bool = True) -> int:
    """The exit code of `work`, given the server's parts on a migrated database; all is closed when it ends.

    A database that is not at this release's revision, or fails, is told in one line (exit code 2).
    """
    from server.application import build_parts
    from server.telemetry.logging import configure

    async def run() -> int:
        parts = build_parts(settings, configure("warning"), obey_brakes=obey_brakes)
        try:
            return await _on_migrated(settings, parts.database, lambda: work(parts))
        finally:
            await parts.client.close()
            await parts.database.close()

    return asyncio.run(run())


async def _on_migrated(settings: Settings, database: Database, work: Callable[[], Awaitable[int]]) -> int:
    from sqlalchemy.exc import DatabaseError

    from server.storage.tables import HEAD
    from server.telemetry.request import CURRENT_REQUEST

    CURRENT_REQUEST.set(f"command-{os.getpid()}")
    try:
        revision = await database.revision()
        if revision != HEAD:
            state = f"is at revision {revision}, and this release needs {HEAD}" if revision else "is empty"
            return refuse(f"DATABASE_URL {settings.database_url}: the database {state}; run: python -m server migrate")
        return await work()
    except DatabaseError as error:
        return refuse(f"DATABASE_URL {settings.database_url}: {error.orig}")

"""What commands share: how one refuses, and how one works on the database with the server's parts."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from server.application import Parts
    from server.settings import Settings

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names this type nowhere else

DONE: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
INTERNAL: Final = 3


def refuse(message: str, code: int = USAGE) -> int:
    """Say on standard error why a command does nothing; returns the exit code."""
    print(f"server: {message}", file=sys.stderr)
    return code


def run_with_parts(settings: Settings, work: Callable[[Parts], Awaitable[int]], *, obey_brakes: bool = True) -> int:
    """The exit code of `work`, given the server's parts on a migrated database; all is closed when it ends.

    A database that is not at this release's revision, or fails, is told in one line (exit code 2).
    """
    from sqlalchemy.exc import DatabaseError

    from server.application import build_parts
    from server.storage.tables import HEAD
    from server.telemetry.logging import configure

    async def run() -> int:
        parts = build_parts(settings, configure("warning"), obey_brakes=obey_brakes)
        try:
            revision = await parts.database.revision()
            if revision != HEAD:
                state = f"is at revision {revision}, and this release needs {HEAD}" if revision else "is empty"
                return refuse(
                    f"DATABASE_URL {settings.database_url}: the database {state}; run: python -m server migrate"
                )
            return await work(parts)
        except DatabaseError as error:
            return refuse(f"DATABASE_URL {settings.database_url}: {error.orig}")
        finally:
            await parts.client.close()
            await parts.database.close()

    return asyncio.run(run())

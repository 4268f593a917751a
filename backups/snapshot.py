"""Take a consistent snapshot of a live SQLite database: a folder that has its final name only once it is complete."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backups.database import open_read_only
from backups.durable import sync
from backups.errors import BackupError
from backups.manifest import MANIFEST_NAME, Manifest, describe, dump_manifest
from harness.files import write_atomically

DATABASE_NAME = "database.sqlite"
PARTIAL = ".partial"
"""The ending of a snapshot's folder that is not complete; its name also starts with a dot."""


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot: `folder` holds the database file and its manifest."""

    folder: Path
    manifest: Manifest


def take_snapshot(
    database: Path, destination: Path, *, server_version: str | None, now: Callable[[], datetime]
) -> Snapshot:
    """Return a new snapshot of `database` in the folder `destination`, on disk when this returns. Ids sort by time.

    VACUUM INTO reads in one transaction, so the copy is one moment of the database whatever is committed meanwhile;
    it does not delay writers and, unlike a copy by steps, is never made to start again by them.
    Raises BackupError when it cannot be taken, DamageError when there is nothing to take or it is damaged; then
    nothing is left behind. Killed, it leaves a folder whose name says that it is not complete.
    """
    taken_at = now().astimezone(UTC)
    name = f"{taken_at:%Y%m%dT%H%M%S.%fZ}"
    partial, folder = destination / f".{name}{PARTIAL}", destination / name
    try:
        destination.mkdir(parents=True, exist_ok=True)
        partial.mkdir(mode=0o700)  # it holds every tenant's data
        try:
            copy = partial.resolve() / DATABASE_NAME
            with open_read_only(database) as source:
                source.execute("VACUUM INTO ?", (str(copy),))
            sync(copy)
            manifest = describe(copy, taken_at=taken_at, server_version=server_version)
            write_atomically(partial / MANIFEST_NAME, dump_manifest(manifest))
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        sync(destination)
    except OSError as error:
        raise BackupError(f"cannot write a snapshot to {destination}: {error.strerror}") from error
    return Snapshot(folder, manifest)

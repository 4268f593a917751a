"""Restore a snapshot to a new place, where it appears only if it is the file that its manifest describes."""

import shutil
from pathlib import Path

from backups.database import SIDE_FILES
from backups.durable import sync
from backups.errors import BackupError, DamageError
from backups.manifest import Manifest, read_manifest
from backups.snapshot import DATABASE_NAME, PARTIAL
from harness.files import digest


def restore(snapshot: Path, destination: Path) -> Manifest:
    """Copy the database of the snapshot in the folder `snapshot` to the file `destination`; return its manifest.

    Raises BackupError when a piece is missing or unreadable or something lies at the destination, DamageError when the
    copy differs from the manifest in size or SHA-256.
    """
    manifest = read_manifest(snapshot)
    for taken in (destination, *(destination.with_name(destination.name + ending) for ending in SIDE_FILES)):
        if taken.exists():
            raise BackupError(f"{taken} exists: a snapshot is restored to a new place")
    partial = destination.with_name(f".{destination.name}{PARTIAL}")
    try:
        partial.touch(mode=0o600)
        shutil.copyfile(snapshot / DATABASE_NAME, partial)
        sync(partial)
        # The copy is what gets opened, so the copy is what is compared.
        size, found = partial.stat().st_size, digest(partial)
        if size != manifest.bytes:
            raise DamageError(f"{DATABASE_NAME} has {size} bytes, its manifest says {manifest.bytes}")
        if found != manifest.sha256:
            raise DamageError(f"{DATABASE_NAME} has SHA-256 {found}, its manifest says {manifest.sha256}")
        partial.rename(destination)
        sync(destination.parent)
    except OSError as error:
        raise BackupError(f"{snapshot.name} cannot be restored: {error.strerror}: {error.filename}") from error
    finally:
        partial.unlink(missing_ok=True)
    return manifest

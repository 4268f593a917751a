"""`inv backup.verify`: take a snapshot under live writes, restore it, inspect it, and boot the real server on it."""

import secrets
import tempfile
import time
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from backups.boot import READY_SECONDS
from backups.errors import BackupError
from backups.inspection import inspect
from backups.manifest import MANIFEST_NAME, Manifest, dump_manifest
from backups.opening import open_by_server
from backups.restore import restore
from backups.snapshot import Snapshot, take_snapshot
from backups.steps import leave_out_after, step
from backups.traffic import Acknowledged, Update, updating
from backups.witness import Witness, hear
from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, RunningTarget

UPDATES_BEFORE = 3
UPDATE_SECONDS = 30.0
SQLITE_URL = "sqlite:///"


def verify(run: Run, target: RunningTarget) -> None:
    """Make the checks `backup.*` on a target that was started here: no other's database can be reached."""
    assert isinstance(target, LocalTarget)
    with tempfile.TemporaryDirectory(prefix="quartermaster-backup-") as folder:
        taken = None
        with step(run, "taken") as check:
            witness = hear(target)
            taken = take_under_updates(run, check, target, witness, Path(folder) / "snapshots")
        if taken is None:
            leave_out_after(run, "taken", "no snapshot was taken")
            return
        snapshot, updates = taken
        examine(run, snapshot.folder, witness, updates, Path(folder) / "restored.db")


def take_under_updates(
    run: Run, check: OpenCheck, target: LocalTarget, witness: Witness, destination: Path
) -> tuple[Snapshot, Acknowledged]:
    """Return a snapshot of the target's database, and the updates that were acknowledged around it.

    Raises Inconclusive when no update was in flight during the snapshot, BackupError when updates do not go through.
    """
    database = _database(target)
    with SandboxClient(target.sandbox.base_url) as sandbox:
        sandbox.bucket(enabled=False)  # the database is on trial, not OrderDesk's patience
    with updating(target, witness.order_ids, label=secrets.token_hex(4)) as updates:
        before = updates.wait_for(UPDATES_BEFORE, seconds=UPDATE_SECONDS)
        began = time.monotonic()
        snapshot = take_snapshot(
            database, destination, server_version=target.target.release, now=lambda: datetime.now(UTC)
        )
        ended = time.monotonic()
        # One more shows that the snapshot did not end the writing.
        every = updates.wait_for(len(updates.acknowledged()) + 1, seconds=UPDATE_SECONDS)
    manifest = snapshot.manifest
    run.artifact_path(MANIFEST_NAME).write_bytes(dump_manifest(manifest))
    run.measure("snapshot_duration", ended - began, "s")
    run.measure("snapshot_size", manifest.bytes, "bytes")
    run.measure("snapshot_rows", manifest.rows, "rows")
    overlapping = [update for update in every if update.began < ended and update.ended > began]
    check.evidence += [_describe(manifest), _account(before, overlapping, every)]
    if not overlapping:
        raise Inconclusive("no update was in flight while the snapshot was taken")
    check.examined = len(overlapping)
    return snapshot, Acknowledged(
        before=frozenset(update.request_id for update in before),
        later=frozenset(update.request_id for update in every[len(before) :]),
    )


def examine(
    run: Run,
    snapshot: Path,
    witness: Witness,
    updates: Acknowledged,
    destination: Path,
    *,
    ready_seconds: float = READY_SECONDS,
) -> None:
    """Make every step after `taken` on the snapshot in this folder, restored to the file `destination`."""
    manifest = None
    with step(run, "restored") as check:
        began = time.monotonic()
        manifest = restore(snapshot, destination)
        run.measure("restore_duration", time.monotonic() - began, "s")
        check.examined = 1
        check.evidence.append(f"{manifest.bytes} bytes, SHA-256 {manifest.sha256}")
    if manifest is None:
        leave_out_after(run, "restored", "the snapshot could not be restored")
        return
    inspect(run, destination, manifest, updates)
    open_by_server(run, destination, witness, ready_seconds=ready_seconds)


def _database(target: LocalTarget) -> Path:
    url = target.environment["DATABASE_URL"]
    if not url.startswith(SQLITE_URL):
        raise BackupError(f"only an SQLite database can be copied, not {url.partition(':')[0]}")
    return Path(url.removeprefix(SQLITE_URL))


def _describe(manifest: Manifest) -> str:
    return (
        f"server {manifest.server_version}, revision {manifest.revision}, {manifest.rows} rows in "
        f"{len(manifest.tables)} tables, {manifest.bytes} bytes, SHA-256 {manifest.sha256}"
    )


def _account(before: Collection[Update], overlapping: Collection[Update], every: Collection[Update]) -> str:
    return f"{len(every)} updates were acknowledged: {len(before)} before, {len(overlapping)} in flight meanwhile"

"""Invoke tasks of backups."""

import os

from invoke.collection import Collection
from invoke.context import Context

from harness.repository import REPOSITORY
from harness.tasks import command


@command("backup.verify")
def verify(_: Context, allow_inconclusive: list[str], json: bool = False) -> int:
    """Take a snapshot under live writes, restore it, and boot the real server on it."""
    from backups.verify import verify as measure  # noqa: PLC0415 -- what only this task needs would slow ./inv --list
    from harness.config import LOCAL  # noqa: PLC0415
    from harness.job import run_on_target  # noqa: PLC0415

    return run_on_target(
        "backup.verify",
        measure,
        repository=REPOSITORY,
        environ=os.environ,
        target_name=LOCAL,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


namespace = Collection("backup", verify)

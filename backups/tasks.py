"""Invoke tasks of backups: parse options, call one function, exit with its code."""

import os

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.edge import at_the_edge
from harness.repository import REPOSITORY


@task(help={"json": "print only the record"}, iterable=["allow_inconclusive"])
def verify(_: Context, allow_inconclusive: list[str], json: bool = False) -> None:
    """Take a snapshot under live writes, restore it, and boot the real server on it."""
    from backups.verify import verify as measure  # noqa: PLC0415 -- what only this task needs would slow ./inv --list
    from harness.config import LOCAL  # noqa: PLC0415
    from harness.job import run_on_target  # noqa: PLC0415

    def command() -> int:
        return run_on_target(
            "backup.verify",
            measure,
            repository=REPOSITORY,
            environ=os.environ,
            target_name=LOCAL,
            as_json=json,
            allow_inconclusive=allow_inconclusive,
        )

    raise Exit(code=at_the_edge("backup.verify", command))


namespace = Collection("backup", verify)

"""Invoke tasks of security."""

import os

from invoke.collection import Collection
from invoke.context import Context

from harness.repository import REPOSITORY
from harness.tasks import command


@command(
    "audit",
    only="a scanner by the id of its check (code, secrets, dependencies), once for each; without it all of them",
    fail_on="the mildest severity that fails: info, low, medium, high or critical (default: ops.toml's)",
)
def audit(_: Context, allow_inconclusive: list[str], only: list[str], fail_on: str = "", json: bool = False) -> int:
    """Answer whether this may ship: code, secrets and dependencies, each by a scanner that is shown to have looked."""
    from security.job import Options, run_audit  # noqa: PLC0415 -- what only this task needs would slow ./inv --list

    return run_audit(
        Options(only, fail_on),
        repository=REPOSITORY,
        environ=os.environ,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


namespace = Collection(audit)

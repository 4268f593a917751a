"""Invoke tasks of security."""

import os
import sys

from invoke.collection import Collection
from invoke.context import Context

from harness.repository import REPOSITORY
from harness.tasks import command


@command(
    "audit",
    target="a target of ops.toml whose server is probed; without it one is started here",
    only="a check (code, authentication.timing) or a group of probes (authentication), once for each; default: all",
    fail_on="the mildest severity that fails: info, low, medium, high or critical (default: ops.toml's)",
    baseline="the record.json of an earlier audit: what that had found does not fail, and is told as known",
    allow_inconclusive="id of a check that may be inconclusive, once for each; an unknown one is wrong usage",
)
def audit(
    _: Context,
    allow_inconclusive: list[str],
    only: list[str],
    target: str = "local",
    fail_on: str = "",
    baseline: str = "",
    json: bool = False,
) -> int:
    """Answer whether this may ship: the repository scanned and a server probed, each check shown to have looked."""
    from security.job import Options, run_audit  # noqa: PLC0415 -- what only this task needs would slow ./inv --list

    return run_audit(
        Options(target=target, only=only, fail_on=fail_on, baseline=baseline),
        repository=REPOSITORY,
        environ=os.environ,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command("audit.pin")
def pin(_: Context, target: str = "local") -> int:
    """Accept what a target offers now: pin its tools in the lockfile that ./inv audit compares them with."""
    from security.pin import pin_target  # noqa: PLC0415 -- see audit

    return pin_target(target, repository=REPOSITORY, environ=os.environ, stdout=sys.stdout)


@command("audit.document", record="the record.json to publish (default: the latest audit's)")
def document(_: Context, record: str = "") -> int:
    """Write docs/SECURITY-AUDIT.md from the record of a whole audit, with its date and figures."""
    from security.document import write_page  # noqa: PLC0415 -- see audit

    return write_page(record, repository=REPOSITORY, stdout=sys.stdout)


namespace = Collection("audit", pin, document)
namespace.add_task(audit, default=True)

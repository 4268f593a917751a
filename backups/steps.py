"""The steps of a verification, each a check that is in every record: passed, failed on damage, else inconclusive."""

import contextlib
from collections.abc import Iterator

from backups.errors import DamageError
from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.verdict import Severity

TITLES = {
    "taken": "A snapshot is taken while orders are being updated",
    "restored": "It is restored elsewhere, and the copy is the file that its manifest describes",
    "intact": "SQLite finds the restored database intact, foreign keys included",
    "contents": "Schema revision and row counts are those of the manifest",
    "acknowledged": "Every update that was acknowledged before the snapshot is in it, and none by half",
    "boots": "The server becomes ready on the restored database",
    "answers": "A tenant's key opens it, and its stores are those that the live server lists",
    "keys": "The store's sealed API key opens",
}
"""Every step by name, in order."""


@contextlib.contextmanager
def step(run: Run, name: str) -> Iterator[OpenCheck]:
    """Make the check `backup.NAME`. DamageError fails it; any other error makes it inconclusive."""
    with run.check(f"backup.{name}", TITLES[name], severity=Severity.CRITICAL) as check:
        try:
            yield check
        except DamageError as damage:
            check.fail(str(damage))


def leave_out_after(run: Run, name: str, reason: str) -> None:
    """List every step after the one named as inconclusive: what it needs is not there."""
    names = list(TITLES)
    for later in names[names.index(name) + 1 :]:
        with step(run, later):
            raise Inconclusive(reason)

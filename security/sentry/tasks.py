"""Invoke tasks of Sentry."""

import os

from invoke.collection import Collection
from invoke.context import Context

from harness.repository import REPOSITORY
from harness.tasks import command


@command("sentry.test", target="local, which is this machine and its SENTRY_DSN; any other must be tested there")
def test(_: Context, target: str = "local") -> int:
    """Send a marked error to Sentry as the server would, and show what left (exit 2: there is no DSN)."""
    from security.sentry.send import send_test  # noqa: PLC0415 -- what only this task needs would slow ./inv --list

    return send_test(repository=REPOSITORY, environ=os.environ, target=target)


@command("sentry.alerts", apply="make it so; without it, only what would be done is shown")
def alerts(_: Context, apply: bool = False) -> int:
    """Compare Sentry's alert rules with those of this repository (exit 1: they differ)."""
    from security.sentry.alerts import run_alerts  # noqa: PLC0415 -- see test

    return run_alerts(configuration=REPOSITORY / "ops.toml", environ=os.environ, say=print, apply=apply)


namespace = Collection("sentry", test, alerts)

"""Invoke tasks of perf: parse options, call one function, exit with its code."""

import os

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.edge import at_the_edge
from harness.repository import REPOSITORY


@task(help={"json": "print only the record"})
def peers(_: Context, json: bool = False) -> None:
    """Compare one worker with FastMCP's default server, interleaved in one run."""
    from perf.peers.job import compare_with_fastmcp  # noqa: PLC0415 -- what only this task needs would slow ./inv --list

    def command() -> int:
        return compare_with_fastmcp(repository=REPOSITORY, environ=os.environ, as_json=json)

    raise Exit(code=at_the_edge("peers", command))


@task(
    help={
        "profile": "a [load.profiles.NAME] of ops.toml",
        "target": "a [targets.NAME] of ops.toml; without it a server is started here",
        "allow_production": "the target's name once more, where it is a production one",
        "json": "print only the record",
    },
    iterable=["allow_inconclusive"],
)
def load(
    _: Context,
    allow_inconclusive: list[str],
    profile: str = "nightly",
    target: str = "local",
    allow_production: str = "",
    json: bool = False,
) -> None:
    """Send a profile's load with k6 and judge answers, failures and durations."""
    from perf.load.job import Options, run_load  # noqa: PLC0415 -- see peers

    def command() -> int:
        options = Options(profile, target, allow_production)
        return run_load(
            options,
            repository=REPOSITORY,
            environ=os.environ,
            as_json=json,
            allow_inconclusive=allow_inconclusive,
        )

    raise Exit(code=at_the_edge("load", command))


namespace = Collection(load, peers)

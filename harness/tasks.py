"""Invoke tasks of the harness, and `command`, which makes a task of a function in this and the other tasks.py files."""

import functools
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from harness.edge import at_the_edge
from harness.repository import REPOSITORY

SHARED = {
    "target": "a [targets.NAME] of ops.toml; without it a server is started here",
    "json": "print only the record",
    "allow_inconclusive": "id of a check that may be inconclusive, once for each; one that no check has makes the run "
    "inconclusive (exit code 3)",
}
"""What --help says of the options that jobs have in common."""
REPEATABLE = ("allow_inconclusive", "only", "path")


def command(name: str, **help_: str) -> Callable[[Callable[..., int]], Task[Callable[..., None]]]:
    """Make a task of a function that returns an exit code; what it raises is told at the edge, as `name`.

    Its parameters are the options, its docstring their --help, to which `help_` adds a line for each option that is not
    in SHARED.
    """

    def make(function: Callable[..., int]) -> Task[Callable[..., None]]:
        @functools.wraps(function)  # Invoke reads the options from the signature, which that keeps
        def body(*arguments: Any, **options: Any) -> None:
            raise Exit(code=at_the_edge(name, functools.partial(function, *arguments, **options)))

        shared = {option: SHARED[option] for option in inspect.signature(function).parameters if option in SHARED}
        made: Task[Callable[..., None]] = task(help={**shared, **help_}, iterable=REPEATABLE)(body)
        return made

    return make


@command(
    "serve",
    port="port of the server on 127.0.0.1; 0 takes any free one",
    orders="orders in the sandbox",
    database="URL of the database (default: SQLite in ./data)",
    fresh="keep nothing: a new tenant and database, gone afterwards",
    toolsets="tools to offer, as in stores,orders,items; all for every tool (default: the server's own)",
)
def serve(
    _: Context, port: str = "8080", orders: str = "200", database: str = "", toolsets: str = "", fresh: bool = False
) -> int:
    """Start server and sandbox together and print how to connect a client; Ctrl-C stops both."""
    from harness import serve as serving  # noqa: PLC0415 -- what only this task needs would slow ./inv --list
    from harness.progress import make_progress  # noqa: PLC0415

    options = serving.parse_options(port=port, orders=orders, database=database, fresh=fresh, toolsets=toolsets)
    progress = make_progress(sys.stderr)
    serving.serve(options, data=REPOSITORY / "data", environ=os.environ, stdout=sys.stdout, progress=progress)


@command("story")
def story(_: Context, allow_inconclusive: list[str], target: str = "local", json: bool = False) -> int:
    """Do what a client does on its first day, in both protocol eras, and read it back at the upstream."""
    from harness.job import run_on_target  # noqa: PLC0415 -- see serve
    from harness.story import tell_story  # noqa: PLC0415

    return run_on_target(
        "story",
        tell_story,
        repository=REPOSITORY,
        environ=os.environ,
        target_name=target,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command("conformance")
def conformance(_: Context, allow_inconclusive: list[str], target: str = "local", json: bool = False) -> int:
    """Run the official MCP conformance suite at both revisions, on the fixture registry and on the production one."""
    from harness.conformance.job import run_conformance  # noqa: PLC0415 -- see serve

    return run_conformance(
        repository=REPOSITORY,
        environ=os.environ,
        target_name=target,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
    )


@command("nightly", quick="only the jobs that need nothing outside this machine")
def nightly(_: Context, allow_inconclusive: list[str], quick: bool = False, json: bool = False) -> int:
    """Run the jobs that ops.toml names for the night, and leave one record and one report of all of them."""
    from harness.config import load  # noqa: PLC0415 -- see serve
    from harness.nightly import NightlyTable, run_nightly  # noqa: PLC0415

    configuration = load(REPOSITORY / "ops.toml", {"nightly": NightlyTable})
    return run_nightly(
        configuration.table("nightly", NightlyTable).jobs,
        directory=REPOSITORY,
        environment=os.environ,
        reports_directory=configuration.reports_directory,
        quick=quick,
        as_json=json,
        allow_inconclusive=allow_inconclusive,
        keep_runs=configuration.reports.keep,
    )


@command("lint")
def lint(_: Context) -> int:
    """Run the linters: ruff, mypy --strict, and the import wall."""
    from harness import development  # noqa: PLC0415 -- see serve

    return development.lint(REPOSITORY)


@command(
    "test",
    full="run the long suites whole instead of a seeded tenth",
    path="only the tests under this path",
    coverage="measure branch coverage",
)
def test(_: Context, path: list[str], full: bool = False, coverage: bool = False) -> int:
    """Run the tests, a file at a time on each core."""
    from harness import development  # noqa: PLC0415 -- see serve

    return development.test(REPOSITORY, path, full=full, coverage=coverage)


@command("docs")
def docs(_: Context) -> int:
    """Write the generated reference pages and the templates of settings anew."""
    from harness.reference import write_reference  # noqa: PLC0415 -- see serve

    changed = write_reference(REPOSITORY, os.environ)
    print("\n".join(changed) if changed else "nothing changed")
    return 0


@command("lock")
def lock(_: Context) -> int:
    """Resolve the newest allowed versions into requirements/."""
    from harness import development  # noqa: PLC0415 -- see serve

    return development.lock(REPOSITORY)


namespace = Collection(conformance, serve, story, nightly, lint, test, docs, lock)

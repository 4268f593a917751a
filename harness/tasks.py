"""Invoke tasks of the harness: parse options, call one function, exit with its code."""

import os
import sys

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.edge import at_the_edge
from harness.repository import REPOSITORY


@task(
    help={
        "port": "port of the server on 127.0.0.1; 0 takes any free one",
        "orders": "orders in the sandbox",
        "database": "URL of the database (default: SQLite in ./data)",
        "fresh": "keep nothing: a new tenant and database, gone afterwards",
    }
)
def serve(_: Context, port: str = "8080", orders: str = "200", database: str = "", fresh: bool = False) -> None:
    """Start server and sandbox together and print how to connect a client; Ctrl-C stops both."""
    from harness import serve as serving  # noqa: PLC0415 -- what only this task needs would slow ./inv --list
    from harness.progress import make_progress  # noqa: PLC0415

    def command() -> int:
        options = serving.parse_options(port=port, orders=orders, database=database, fresh=fresh)
        progress = make_progress(sys.stderr)
        serving.serve(options, data=REPOSITORY / "data", environ=os.environ, stdout=sys.stdout, progress=progress)

    raise Exit(code=at_the_edge("serve", command))


@task(
    help={
        "target": "a [targets.NAME] of ops.toml; without it a server is started here",
        "json": "print only the record",
    },
    iterable=["allow_inconclusive"],
)
def story(_: Context, allow_inconclusive: list[str], target: str = "local", json: bool = False) -> None:
    """Do what a client does on its first day, in both protocol eras, and read it back at the upstream."""
    from harness.job import run_on_target  # noqa: PLC0415 -- see serve
    from harness.story import tell_story  # noqa: PLC0415

    def command() -> int:
        return run_on_target(
            "story",
            tell_story,
            repository=REPOSITORY,
            environ=os.environ,
            target_name=target,
            as_json=json,
            allow_inconclusive=allow_inconclusive,
        )

    raise Exit(code=at_the_edge("story", command))


@task(
    help={
        "target": "a [targets.NAME] of ops.toml; without it a server is started here",
        "json": "print only the record",
    },
    iterable=["allow_inconclusive"],
)
def conformance(_: Context, allow_inconclusive: list[str], target: str = "local", json: bool = False) -> None:
    """Run the official MCP conformance suite at both revisions, on the fixture registry and on the production one."""
    from harness.conformance.job import run_conformance  # noqa: PLC0415 -- see serve

    def command() -> int:
        return run_conformance(
            repository=REPOSITORY,
            environ=os.environ,
            target_name=target,
            as_json=json,
            allow_inconclusive=allow_inconclusive,
        )

    raise Exit(code=at_the_edge("conformance", command))


@task(
    help={
        "quick": "only the jobs that need nothing outside this machine",
        "json": "print only the record",
    },
    iterable=["allow_inconclusive"],
)
def nightly(_: Context, allow_inconclusive: list[str], quick: bool = False, json: bool = False) -> None:
    """Run the jobs that ops.toml names for the night, and leave one record and one report of all of them."""
    from harness.config import load  # noqa: PLC0415 -- see serve
    from harness.nightly import NightlyTable, run_nightly  # noqa: PLC0415

    def command() -> int:
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

    raise Exit(code=at_the_edge("nightly", command))


@task
def lint(_: Context) -> None:
    """Run the linters: ruff, mypy --strict, and the import wall."""
    from harness import development  # noqa: PLC0415 -- see serve

    raise Exit(code=at_the_edge("lint", lambda: development.lint(REPOSITORY)))


@task(
    help={"full": "run the long suites whole instead of a seeded tenth", "path": "only the tests under this path"},
    iterable=["path"],
)
def test(_: Context, path: list[str], full: bool = False) -> None:
    """Run the tests, with branch coverage."""
    from harness import development  # noqa: PLC0415 -- see serve

    raise Exit(code=at_the_edge("test", lambda: development.test(REPOSITORY, path, full=full)))


@task
def docs(_: Context) -> None:
    """Write the generated reference pages and the templates of settings anew."""
    from harness.reference import write_reference  # noqa: PLC0415 -- see serve

    def command() -> int:
        changed = write_reference(REPOSITORY, os.environ)
        print("\n".join(changed) if changed else "nothing changed")
        return 0

    raise Exit(code=at_the_edge("docs", command))


@task
def lock(_: Context) -> None:
    """Resolve the newest allowed versions into requirements/."""
    from harness import development  # noqa: PLC0415 -- see serve

    raise Exit(code=at_the_edge("lock", lambda: development.lock(REPOSITORY)))


namespace = Collection(conformance, serve, story, nightly, lint, test, docs, lock)

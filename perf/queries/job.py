"""The job behind `./inv profile.queries`: seed, work, explain, and a check of the record for each gate."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.errors import Inconclusive
from harness.job import run_configured
from perf.queries.judge import Found, repeated, unindexed, unused_indexes, whole_tables
from perf.queries.model import ProfileTable, QueriesTable
from perf.queries.operator import WHOLE_TABLES
from perf.queries.plans import Plan, Schema, explain, open_database, read_schema
from perf.queries.statements import Statement, shape
from perf.queries.workload import Planting, Reached, seed, work

KIND = "profile.queries"
SHOWN = 10


@dataclass(frozen=True)
class Explained:
    """Every distinct statement with its plan, and in a line each those that have none."""

    schema: Schema
    plans: list[Plan]
    failures: list[str]


def profile_queries(
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
    planting: Planting | None = None,
) -> int:
    """Return the exit code of the profile, its record written. Raises UsageError for an unusable ops.toml."""
    configuration = load(repository / "ops.toml", {"profile": ProfileTable})
    table = configuration.table("profile", ProfileTable).queries

    def body(run: Run) -> None:
        with tempfile.TemporaryDirectory(prefix="quartermaster-queries-") as name:
            _profile(run, table, Path(name), environ, planting or Planting())

    return run_configured(
        KIND,
        body,
        configuration,
        arguments={},
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


def _profile(run: Run, table: QueriesTable, folder: Path, environ: Mapping[str, str], planting: Planting) -> None:
    logs = run.directory / "logs"
    run.progress.now(f"filling a database with {table.audit_rows} audit rows")
    database = seed(folder, table, logs=logs, environ=environ)
    reached = None
    with run.check("workload", "The workload reaches every tool, page, command and background round") as check:
        reached = work(database, folder, logs=logs, environ=environ, planting=planting)
        check.examined = reached.tools
        check.evidence.append(f"{reached.tools} tools answered; {len(reached.statements)} statements were sent")
        if reached.missing:
            raise Inconclusive(f"not reached: {'; '.join(reached.missing)}")
    run.skip("whole_tables", f"{', '.join(WHOLE_TABLES)}", "they are there to look at everything, row by row")
    if reached is not None:
        judge(run, reached, explain_all(database.path, reached.statements, table.large_rows), table)


def explain_all(path: Path, statements: Sequence[Statement], large_rows: int) -> Explained:
    """Return the plan of each distinct statement with all that was bound to it: one may find what others do not."""
    schema = read_schema(path)
    plans, failures = [], []
    with contextlib.closing(open_database(path)) as connection:
        for statement in {(each.text, each.parameters): each for each in statements}.values():
            try:
                plans.append(explain(connection, statement, schema, large_rows))
            except sqlite3.Error as error:
                failures.append(f"{error}: {statement.shape[:200]}")
    return Explained(schema, plans, failures)


def judge(run: Run, reached: Reached, explained: Explained, table: QueriesTable) -> None:
    """Add the four gates. What was not reached or explained leaves those inconclusive that found nothing."""
    schema, plans, limit = explained.schema, explained.plans, table.large_rows
    large = ", ".join(f"{name} {rows}" for name, rows in schema.rows.items() if rows >= limit)
    shapes = len({shape(plan.statement.text) for plan in plans})
    evidence = [f"{shapes} distinct statements explained; large tables: {large or 'none'}"]
    gaps = [*reached.missing, *(f"no plan: {failure}" for failure in explained.failures)]
    if not large:
        gaps.append(f"no table has {limit} rows")

    def gate(check_id: str, title: str, find: Callable[[], list[Found]], examined: int, said: list[str]) -> None:
        with run.check(check_id, title) as check:
            check.examined = examined
            check.evidence.extend(said)
            for found in find():
                check.find(found.rule, found.message, location=found.place, key=found.key)
            if gaps:
                raise Inconclusive(f"not everything was seen: {'; '.join(gaps[:SHOWN])}")

    gate(
        "scans",
        f"No statement reads the whole of a table of {limit} rows, or sorts as many",
        lambda: whole_tables(plans, schema, limit),
        len(plans),
        evidence,
    )
    requests = {statement.request for statement in reached.statements if statement.request}
    gate(
        "repeated",
        f"No request sends the same statement more than {table.repeats} times",
        lambda: repeated(reached.statements, table.repeats),
        len(requests),
        [f"{len(reached.statements)} statements, {len(requests)} requests and commands"],
    )
    indexes = [index for index in schema.indexes if not index.constraint]
    gate(
        "unused_indexes",
        "Every index is used by a statement, or is a constraint",
        # What was not reached may be what the index is there for.
        lambda: [] if gaps else unused_indexes(plans, schema),
        len(indexes),
        [f"{len(indexes)} indexes: {', '.join(sorted(index.name for index in indexes))}"],
    )
    gate(
        "unindexed",
        f"Every condition on a table of {limit} rows has an index",
        lambda: unindexed(plans, schema, limit),
        len(plans),
        evidence,
    )

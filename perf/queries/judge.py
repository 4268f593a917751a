"""From plans to findings: one function for each gate, each sure of nothing but what it is given."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from perf.queries.plans import Plan, Schema
from perf.queries.statements import Statement

SHOWN = 240


@dataclass(frozen=True)
class Found:
    """One thing that is wrong. `key` names it from run to run, `place` is the table or the index."""

    rule: str
    place: str
    message: str
    key: str


def whole_tables(plans: Iterable[Plan], schema: Schema, large_rows: int) -> list[Found]:
    """What reads the whole of a large table, by an index or not, or sorts as many rows as make a table large."""
    found = []
    for plan in plans:
        for access in plan.accesses:
            rows = schema.rows[access.table]
            if access.scan and rows >= large_rows and not plan.stops_early:
                by = f"its index {access.index}" if access.index else "it"
                found.append(_of(plan, "scan", access.table, f"reads all of {by}, {access.table} has {rows} rows"))
        if plan.sorted_rows >= large_rows:
            table = next((access.table for access in plan.accesses), "")
            found.append(_of(plan, "sort", table, f"sorts {plan.sorted_rows} rows in a temporary b-tree"))
    return _once(found)


def unindexed(plans: Iterable[Plan], schema: Schema, large_rows: int) -> list[Found]:
    """What has a condition, and looks through a large table without an index, or makes one for itself."""
    found = []
    for plan in plans:
        for access in plan.accesses:
            if schema.rows[access.table] < large_rows:
                continue
            if access.automatic:
                found.append(_of(plan, "automatic", access.table, f"makes an index of {access.table} for itself"))
            elif access.scan and access.index is None and plan.has_condition and not plan.stops_early:
                found.append(_of(plan, "none", access.table, f"has a condition, and {access.table} no index for it"))
    return _once(found)


def repeated(statements: Iterable[Statement], repeats: int) -> list[Found]:
    """What one request sent more than `repeats` times; the background's statements belong to no request."""
    times: Counter[tuple[str, str]] = Counter(
        (statement.shape, statement.request) for statement in statements if statement.request
    )
    worst: defaultdict[str, int] = defaultdict(int)
    for (text, _), count in times.items():
        worst[text] = max(worst[text], count)
    return [
        Found("repeated", "", f"sent {count} times in one request: {text[:SHOWN]}", text)
        for text, count in sorted(worst.items())
        if count > repeats
    ]


def unused_indexes(plans: Iterable[Plan], schema: Schema) -> list[Found]:
    """The indexes that no plan used, but those that are constraints."""
    used = {access.index for plan in plans for access in plan.accesses}
    return [
        Found("unused", index.table, f"no statement of the workload uses the index {index.name}", index.name)
        for index in schema.indexes
        if not index.constraint and index.name not in used
    ]


def _of(plan: Plan, rule: str, table: str, what: str) -> Found:
    text = plan.statement.shape
    return Found(rule, table, f"{what}: {text[:SHOWN]} [{'; '.join(plan.details)[:SHOWN]}]", f"{table} {text}")


def _once(found: Sequence[Found]) -> list[Found]:
    """Each finding once: the same statement comes with lists of other lengths."""
    return list(_first(found))


def _first(found: Sequence[Found]) -> Iterator[Found]:
    seen = set()
    for each in found:
        if (each.rule, each.key) not in seen:
            seen.add((each.rule, each.key))
            yield each

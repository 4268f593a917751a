"""`writes revert`: writes taken back, newest first, or a rehearsal of that."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from server.commands.operate import command, json_of, operate_with_parts, printable, show
from server.commands.selection import add_selection, selected
from server.commands.support import DONE, REFUSED, refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.engine import Row

    from server.application import Parts
    from server.commands.support import Subparsers
    from server.settings import Settings
    from server.writes.history import Filter, History
    from server.writes.pause import Pause
    from server.writes.rehearsal import Rehearsal
    from server.writes.revert import Reverted, Reverter

MORE: Final = """\
Name writes by id, or all that fit --since with --tenant or --store. Newest
first, each is taken back whole or not at all, and says why not. The store is
read-only for the tenant meanwhile. Run it again after anything went wrong: what
is left is done, and what was reverted already counts as done.

--dry-run tells what the same command would do: each write is tried on what
those before it would leave. It reads OrderDesk, and neither writes nor pauses.

Exit codes: 0 all of them are reverted (could be, in a dry run); 1 some are not;
2 wrong usage or settings.

  python -m server writes revert --tenant acme --since 2h --dry-run
  python -m server writes revert w_0123456789abcdef01234567"""
VALUE_LENGTH: Final = 60


def add(actions: Subparsers) -> None:
    """Add `revert` to the actions of `writes`."""
    revert = command(actions, "revert", "take writes back at OrderDesk", MORE)
    revert.add_argument("ids", nargs="*", metavar="ID", help="a write's id")
    add_selection(revert)
    revert.add_argument("--dry-run", action="store_true", help="only tell what would change")
    revert.set_defaults(command=revert_writes)


def revert_writes(settings: Settings, arguments: argparse.Namespace) -> int:
    """Take writes back. Returns 1 where not all of them are, 2 where the arguments do not say which."""
    given = [arguments.tenant, arguments.store, arguments.tool, arguments.since]
    if arguments.ids and any(each is not None for each in given):
        return refuse("name the writes by id or by a filter, not both")
    if not arguments.ids and (arguments.since is None or not (arguments.tenant or arguments.store)):
        return refuse("name the writes by id, or by --since together with --tenant or --store")
    return operate_with_parts(settings, lambda parts: _revert(parts, arguments), obey_brakes=False)


async def _revert(parts: Parts, arguments: argparse.Namespace) -> int:
    from server.writes.rehearsal import Rehearsal

    writes = await _chosen(parts, arguments)
    rehearsal = Rehearsal() if arguments.dry_run else None
    outcomes: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    # A client that is still at work may turn to another store meanwhile.
    while new := [store for store in await writes.stores() if store not in seen]:
        for tenant_id, store_id in new:
            seen.add((tenant_id, store_id))
            outcomes += await _revert_in_store(parts, arguments, writes, (tenant_id, store_id), rehearsal)
    reverted = sum(outcome["reverted"] for outcome in outcomes)
    already = sum("reverted_by" in outcome for outcome in outcomes)
    refused = sum("why" in outcome for outcome in outcomes)
    able = f"{len(outcomes) - already - refused} could be reverted" if arguments.dry_run else f"{reverted} reverted"
    total = f"{able}, {already} reverted already, {refused} not" if outcomes else "No write fits."
    counts = {"reverted": reverted, "reverted_already": already, "not_reverted": refused}
    show(arguments, {"outcomes": outcomes, **counts}, [total])
    return REFUSED if refused else DONE


@dataclass(frozen=True)
class Named:
    """Writes named by their ids."""

    rows: Sequence[Row[Any]]

    async def stores(self) -> list[tuple[str, str]]:
        """Where they were: a tenant's and a store's id each."""
        return list(dict.fromkeys((row.tenant_id, row.store_id) for row in self.rows))

    async def of(self, tenant_id: str, store_id: str) -> list[Row[Any]]:
        """Those of a store, newest first: later changes are taken back first."""
        return [row for row in self.rows if (row.tenant_id, row.store_id) == (tenant_id, store_id)]


@dataclass(frozen=True)
class Fitting:
    """Writes that fit a filter whenever they are asked for: as `Named`."""

    history: History
    wanted: Filter

    async def stores(self) -> list[tuple[str, str]]:
        """As `Named.stores`."""
        return await self.history.written_stores(self.wanted)

    async def of(self, tenant_id: str, store_id: str) -> list[Row[Any]]:
        """As `Named.of`."""
        return await self.history.revertible(replace(self.wanted, tenant_id=tenant_id, store_id=store_id))


async def _chosen(parts: Parts, arguments: argparse.Namespace) -> Named | Fitting:
    """The writes that the arguments mean. Raises RefusedError."""
    from server.tenancy.lookup import RefusedError

    if not arguments.ids:
        return Fitting(parts.history, await selected(parts.database, arguments))
    rows = []
    for write_id in dict.fromkeys(arguments.ids):
        row = await parts.history.get(write_id)
        if row is None:
            raise RefusedError(f"there is no write {write_id}; see: python -m server writes list")
        rows.append(row)
    return Named(sorted(rows, key=lambda row: row.created_at, reverse=True))


async def _revert_in_store(
    parts: Parts,
    arguments: argparse.Namespace,
    writes: Named | Fitting,
    at: tuple[str, str],
    rehearsal: Rehearsal | None,
) -> list[dict[str, Any]]:
    from server.errors import ToolError
    from server.writes.leases import Process
    from server.writes.pause import paused
    from server.writes.revert import Reverter

    reverter = Reverter(parts.history, parts.ledger, parts.services, parts.recovery.deadline_seconds)

    async def each(outcome_of: Callable[[Row[Any]], Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
        rows, outcomes = await writes.of(*at), []
        for number, row in enumerate(rows, 1):
            outcome = {"id": row.id, "tool": row.tool, "target": row.target, **await outcome_of(row)}
            if not arguments.json:
                print(*map(printable, _told(f"[{number}/{len(rows)}]", outcome)), sep="\n", flush=True)
            outcomes.append(outcome)
        return outcomes

    if rehearsal is not None:
        return await each(lambda row: _outcome(parts, reverter, row.id, rehearsal))
    try:
        store = await parts.stores.resolve(*at)
    except ToolError as error:
        why = error.message

        async def refused(_row: Row[Any]) -> dict[str, Any]:
            return {"reverted": False, "why": why}

        return await each(refused)

    def say(what: str) -> None:
        print(f"{what} at store {store.store_id}; waiting for that to end", file=sys.stderr, flush=True)

    another = partial(say, "another writes revert is at work")
    async with paused(parts.database, store, Process.this(), another) as pause:
        await reverter.quiet(store, partial(say, "writes are under way"))
        # Chosen now that nobody writes: what was under way when the command began is among them.
        return await each(lambda row: _outcome(parts, reverter, row.id, pause))


async def _outcome(parts: Parts, reverter: Reverter, write_id: str, to: Pause | Rehearsal) -> dict[str, Any]:
    """What became of one write, or would in a rehearsal."""
    from server.errors import ToolError
    from server.tenancy.vault import VaultError
    from server.writes.rehearsal import Rehearsal
    from server.writes.revert import why_not

    row = await parts.history.get(write_id)
    if row is None:
        return {"reverted": False, "why": "it is not kept any more"}
    try:
        if isinstance(to, Rehearsal):
            return _document(await reverter.preview(row, to), rehearsed=True)
        return _document(await reverter.revert(row, to), rehearsed=False)
    except ToolError as error:
        return {"reverted": False, "why": why_not(error)}
    except VaultError as error:
        return {"reverted": False, "why": f"what it was cannot be read: {error}"}


def _document(done: Reverted, *, rehearsed: bool) -> dict[str, Any]:
    if done.earlier:
        return {"reverted": False, "reverted_by": list(done.earlier), "results": []}
    if done.why is not None:
        why = f"partly: {done.done} of {done.count}; {done.why}"
        return {"reverted": False, "why": why, "results": done.results}
    return {"reverted": not rehearsed, "results": done.results}


def _told(number: str, outcome: dict[str, Any]) -> list[str]:
    """The lines that tell of an outcome; in a dry run also of each difference."""
    name = f"{number} {outcome['id']} {outcome['tool']} {outcome['target']}: "
    if "why" in outcome:
        return [f"{name}not reverted{',' if 'results' in outcome else ':'} {outcome['why']}"]
    if "reverted_by" in outcome:
        first, *more = outcome["reverted_by"]
        return [f"{name}reverted already, by {first}" + (f" and {len(more)} more" if more else "")]
    if outcome["reverted"]:
        return [f"{name}reverted"]
    lines = [f"{name}would be reverted"]
    lines += [f"    {_difference(line)}" for result in outcome["results"] for line in result["changes"]]
    notes = dict.fromkeys(result["note"] for result in outcome["results"] if "note" in result)
    return lines + [f"    ({note})" for note in notes]


def _difference(line: dict[str, Any]) -> str:
    if not line["field"] and line["after"] is None:
        return f"{line['object']}: deleted"
    return f"{line['object']}, {line['field']}: {_short(line['before'])} -> {_short(line['after'])}"


def _short(value: object) -> str:
    text = json_of(value)
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 3] + "..."

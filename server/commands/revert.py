"""`writes revert`: writes taken back, newest first, or a rehearsal of that."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from server.commands.operate import command, json_of, operate_with_parts, printable, show
from server.commands.selection import add_selection, selected
from server.commands.support import DONE, REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Row

    from server.application import Parts
    from server.commands.support import Subparsers
    from server.settings import Settings
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
    """Take writes back. Returns 1 where not all of them are."""
    return operate_with_parts(settings, lambda parts: _revert(parts, arguments), obey_brakes=False)


async def _revert(parts: Parts, arguments: argparse.Namespace) -> int:
    from server.writes.rehearsal import Rehearsal

    by_store: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in await _rows(parts, arguments):
        by_store.setdefault((row.tenant_id, row.store_id), []).append(row)
    rehearsal = Rehearsal() if arguments.dry_run else None
    outcomes: list[dict[str, Any]] = []
    for writes in by_store.values():
        outcomes += await _revert_in_store(parts, arguments, writes, rehearsal)
    reverted = sum(outcome["reverted"] for outcome in outcomes)
    already = sum("reverted_by" in outcome for outcome in outcomes)
    refused = sum("why" in outcome for outcome in outcomes)
    able = f"{len(outcomes) - already - refused} could be reverted" if arguments.dry_run else f"{reverted} reverted"
    total = f"{able}, {already} reverted already, {refused} not" if outcomes else "No write fits."
    counts = {"reverted": reverted, "reverted_already": already, "not_reverted": refused}
    show(arguments, {"outcomes": outcomes, **counts}, [total])
    return REFUSED if refused else DONE


async def _rows(parts: Parts, arguments: argparse.Namespace) -> list[Row[Any]]:
    """The writes named, or those that the filter names, newest first: later changes are taken back first."""
    from server.tenancy.lookup import RefusedError

    if not arguments.ids:
        if arguments.since is None or not (arguments.tenant or arguments.store):
            raise RefusedError("name the writes by id, or by --since together with --tenant or --store")
        return await parts.history.revertible(await selected(parts.database, arguments))
    given = (arguments.tenant, arguments.store, arguments.tool, arguments.since)
    if any(each is not None for each in given):
        raise RefusedError("name the writes by id or by a filter, not both")
    rows = []
    for write_id in dict.fromkeys(arguments.ids):
        row = await parts.history.get(write_id)
        if row is None:
            raise RefusedError(f"there is no write {write_id}; see: python -m server writes list")
        rows.append(row)
    return sorted(rows, key=lambda row: row.created_at, reverse=True)


async def _revert_in_store(
    parts: Parts, arguments: argparse.Namespace, rows: Sequence[Row[Any]], rehearsal: Rehearsal | None
) -> list[dict[str, Any]]:
    from server.errors import ToolError
    from server.writes.leases import Process
    from server.writes.pause import paused
    from server.writes.revert import Reverter

    reverter = Reverter(parts.history, parts.ledger, parts.services, parts.recovery.deadline_seconds)

    def told(number: int, outcome: dict[str, Any]) -> dict[str, Any]:
        row = rows[number - 1]
        outcome = {"id": row.id, "tool": row.tool, "target": row.target, **outcome}
        if not arguments.json:
            print(*map(printable, _told(f"[{number}/{len(rows)}]", outcome)), sep="\n", flush=True)
        return outcome

    async def each(to: Pause | Rehearsal) -> list[dict[str, Any]]:
        return [told(number, await _outcome(parts, reverter, row.id, to)) for number, row in enumerate(rows, 1)]

    if rehearsal is not None:
        return await each(rehearsal)
    try:
        store = await parts.stores.resolve(rows[0].tenant_id, rows[0].store_id)
    except ToolError as error:
        refused = {"reverted": False, "why": error.message}
        return [told(number, refused) for number in range(1, len(rows) + 1)]
    waiting = f"another writes revert is at work at store {store.store_id}; waiting for it to end"
    async with paused(
        parts.database, store, Process.this(), lambda: print(waiting, file=sys.stderr, flush=True)
    ) as pause:
        await reverter.quiet(store)
        return await each(pause)


async def _outcome(parts: Parts, reverter: Reverter, write_id: str, to: Pause | Rehearsal) -> dict[str, Any]:
    """What became of one write, or would in a rehearsal."""
    from server.errors import ToolError
    from server.tenancy.vault import VaultError
    from server.writes.rehearsal import Rehearsal
    from server.writes.revert import why_not

    row = await parts.history.get(write_id)
    if row is None:
        return {"reverted": False, "why": "it is not kept any more"}
    rehearsed = isinstance(to, Rehearsal)
    try:
        done = await (reverter.preview(row, to) if isinstance(to, Rehearsal) else reverter.revert(row, to))
    except ToolError as error:
        return {"reverted": False, "why": why_not(error)}
    except VaultError as error:
        return {"reverted": False, "why": f"what it was cannot be read: {error}"}
    return _document(done, rehearsed=rehearsed)


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

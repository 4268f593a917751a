"""`writes`: what the ledger holds, what nobody knows the outcome of, and taking writes back."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.clock import now_milliseconds
from server.commands.support import DONE, REFUSED, refuse, run_with_parts

if TYPE_CHECKING:
    from sqlalchemy.engine import Row

    from server.application import Parts
    from server.commands.support import Subparsers
    from server.settings import Settings
    from server.writes.history import Filter
    from server.writes.pause import Pause
    from server.writes.revert import Reverter

UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400}
AGE: Final = re.compile(r"(\d{1,6})([mhd])\Z")
STATES: Final = ("intent", "done", "failed", "uncertain")


def add(commands: Subparsers) -> None:
    """Add the parser of `writes`."""
    actions = commands.add_parser("writes", help="what clients wrote; take it back").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = actions.add_parser("list", help="writes, newest first")
    _add_filter(listing)
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--limit", type=int, default=50, help="lines (%(default)s)")
    listing.set_defaults(command=_command(_list))
    show = actions.add_parser("show", help="one write, with the customer's data that it holds")
    show.add_argument("id")
    show.set_defaults(command=_command(_show))
    uncertain = actions.add_parser("uncertain", help="writes whose outcome nobody knows; exit code 1 if there are any")
    _add_filter(uncertain)
    uncertain.add_argument("--look-up", action="store_true", help="ask OrderDesk, and settle those that it shows")
    uncertain.set_defaults(command=_command(_uncertain))
    settle = actions.add_parser("settle", help="say what became of an uncertain write, after having looked")
    settle.add_argument("id")
    settle.add_argument("outcome", choices=("done", "failed"))
    settle.set_defaults(command=_command(_settle))
    revert = actions.add_parser("revert", help="take writes back; exit code 1 if any could not be")
    revert.add_argument("ids", nargs="*", metavar="id")
    _add_filter(revert)
    revert.add_argument("--dry-run", action="store_true", help="only tell what would change")
    revert.set_defaults(command=_command(_revert, obey_brakes=False))
    for parser in (listing, show, uncertain, settle, revert):
        parser.add_argument("--json", action="store_true", help="print JSON only")


def _add_filter(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tenant", help="id or name")
    parser.add_argument("--store", help="OrderDesk store id")
    parser.add_argument("--tool")
    parser.add_argument("--since", type=_since, metavar="AGE", help="not older than this: 30m, 12h, 7d")


def _since(text: str) -> int:
    found = AGE.match(text)
    if not found:
        raise argparse.ArgumentTypeError("is no age: give minutes, hours or days, as in 30m, 12h or 7d")
    return now_milliseconds() - int(found[1]) * UNITS[found[2]] * 1000


Work = Callable[["Parts", argparse.Namespace], Awaitable[int]]


def _command(work: Work, *, obey_brakes: bool = True) -> Callable[[Settings, argparse.Namespace], int]:
    def command(settings: Settings, arguments: argparse.Namespace) -> int:
        return run_with_parts(settings, lambda parts: work(parts, arguments), obey_brakes=obey_brakes)

    return command


async def _list(parts: Parts, arguments: argparse.Namespace) -> int:
    wanted = await _filter(parts, arguments)
    if wanted is None:
        return REFUSED
    rows = await parts.history.find(wanted, arguments.limit)
    _print_rows(parts, rows, as_json=arguments.json)
    return DONE


async def _show(parts: Parts, arguments: argparse.Namespace) -> int:
    from server.writes.ledger import DONE as HAPPENED

    row = await parts.history.get(arguments.id)
    if row is None:
        return refuse(f"there is no write {arguments.id}; see: writes list", REFUSED)
    opened = {"plan": parts.ledger.opened(row, "sealed_plan"), "result": parts.ledger.opened(row, "sealed_result")}
    reverts = [revert.id for revert in await parts.history.reverts(row.id) if revert.state == HAPPENED]
    shown = _summary(parts, row) | {"reverted_by": reverts} | opened
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
    return DONE


async def _uncertain(parts: Parts, arguments: argparse.Namespace) -> int:
    wanted = await _filter(parts, arguments)
    if wanted is None:
        return REFUSED
    rows = await parts.history.unsettled(wanted, 1_000)
    if arguments.look_up:
        for row in rows:
            _say(f"{row.id}: {await _looked_up(parts, row)}")
        rows = await parts.history.unsettled(wanted, 1_000)
    _print_rows(parts, rows, as_json=arguments.json)
    if not rows:
        _say("The outcome of every write is known.")
    elif not arguments.json:
        _say(
            "Look them up with --look-up; what OrderDesk does not show: look there, then writes settle ID done|failed."
        )
    return REFUSED if rows else DONE


async def _looked_up(parts: Parts, row: Row[Any]) -> str:
    from server.errors import ToolError
    from server.tenancy.vault import VaultError
    from server.writes.history import UNDER_WAY

    if parts.history.state_of(row) == UNDER_WAY:
        return "it may still be under way"
    try:
        found = await parts.recovery.look_up(row)
    except ToolError as error:
        return f"OrderDesk could not say: {error.message}"
    except VaultError as error:
        return f"what it was cannot be read: {error}"
    return "it happened; settled" if found else "OrderDesk does not show it"


async def _settle(parts: Parts, arguments: argparse.Namespace) -> int:
    from server.writes.history import UNDER_WAY

    row = await parts.history.get(arguments.id)
    if row is None:
        return refuse(f"there is no write {arguments.id}; see: writes uncertain", REFUSED)
    if parts.history.state_of(row) == UNDER_WAY:
        return refuse(f"{row.id} is still under way; try again in a minute", REFUSED)
    if not await parts.history.settle(row, happened=arguments.outcome == "done"):
        return refuse(f"{row.id} is settled already: {row.state}", REFUSED)
    if arguments.json:
        print(orjson.dumps({"id": row.id, "state": arguments.outcome}).decode())
    else:
        print(f"{row.id} is {arguments.outcome} now")
    return DONE


async def _revert(parts: Parts, arguments: argparse.Namespace) -> int:
    rows = await _rows_to_revert(parts, arguments)
    if rows is None:
        return REFUSED
    by_store: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in rows:
        by_store.setdefault((row.tenant_id, row.store_id), []).append(row)
    outcomes: list[dict[str, Any]] = []
    for (tenant_id, store_id), writes in by_store.items():
        outcomes += await _revert_in_store(parts, arguments, tenant_id, store_id, writes)
    reverted = sum(outcome["reverted"] for outcome in outcomes)
    refused = sum("why" in outcome for outcome in outcomes)
    if arguments.json:
        print(orjson.dumps({"outcomes": outcomes, "reverted": reverted, "not_reverted": refused}).decode())
    else:
        what = f"{len(outcomes) - refused} could be reverted" if arguments.dry_run else f"{reverted} reverted"
        print(f"{what}, {refused} not")
    return REFUSED if refused else DONE


async def _revert_in_store(
    parts: Parts, arguments: argparse.Namespace, tenant_id: str, store_id: str, rows: Sequence[Row[Any]]
) -> list[dict[str, Any]]:
    from server.errors import ToolError
    from server.writes.leases import Process
    from server.writes.pause import paused
    from server.writes.revert import Reverter

    reverter = Reverter(parts.history, parts.ledger, parts.services, parts.recovery.deadline_seconds)
    try:
        store = await parts.stores.resolve(tenant_id, store_id)
    except ToolError as error:
        return [{"id": row.id, "reverted": False, "why": error.message} for row in rows]

    async def each(pause: Pause | None) -> list[dict[str, Any]]:
        outcomes = []
        for number, row in enumerate(rows, 1):
            outcome = {"id": row.id, "tool": row.tool, "target": row.target}
            outcome |= await _outcome(parts, reverter, row.id, pause)
            _say_progress(number, len(rows), outcome, arguments)
            outcomes.append(outcome)
        return outcomes

    if arguments.dry_run:
        return await each(None)
    waiting = f"another writes revert is at work at store {store_id}; waiting for it to end"
    async with paused(parts.database, store, Process.this(), lambda: _say(waiting)) as pause:
        await reverter.quiet(store)
        return await each(pause)


async def _outcome(parts: Parts, reverter: Reverter, write_id: str, pause: Pause | None) -> dict[str, Any]:
    """What became of one write; without a pause it is a dry run."""
    from server.errors import ToolError
    from server.tenancy.vault import VaultError
    from server.writes.revert import why_not

    row = await parts.history.get(write_id)
    if row is None:
        return {"reverted": False, "why": "it is not kept any more"}
    try:
        done = await (reverter.preview(row) if pause is None else reverter.revert(row, pause))
    except ToolError as error:
        return {"reverted": False, "why": why_not(error)}
    except VaultError as error:
        return {"reverted": False, "why": f"what it was cannot be read: {error}"}
    if done.why is not None:
        why = f"partly: {done.done} of {done.count}; {done.why}"
        return {"reverted": False, "why": why, "results": done.results}
    return {"reverted": pause is not None, "results": done.results}


def _say_progress(number: int, count: int, outcome: dict[str, Any], arguments: argparse.Namespace) -> None:
    if arguments.json:
        return
    name = f"[{number}/{count}] {outcome['id']} {outcome['tool']} {outcome['target']}"
    if "why" in outcome:
        print(
            f"{name}: not reverted, {outcome['why']}"
            if "results" in outcome
            else f"{name}: not reverted: {outcome['why']}"
        )
        return
    print(f"{name}: {'would be reverted' if arguments.dry_run else 'reverted'}")
    if arguments.dry_run:
        for result in outcome["results"]:
            for line in result["changes"]:
                print(f"    {line['field']}: {_short(line['before'])} -> {_short(line['after'])}")


async def _rows_to_revert(parts: Parts, arguments: argparse.Namespace) -> list[Row[Any]] | None:
    """The writes named, or those that the filter names, newest first: later changes are taken back first."""
    if arguments.ids:
        rows = []
        for write_id in dict.fromkeys(arguments.ids):
            row = await parts.history.get(write_id)
            if row is None:
                refuse(f"there is no write {write_id}; see: writes list", REFUSED)
                return None
            rows.append(row)
        return sorted(rows, key=lambda row: row.created_at, reverse=True)
    if arguments.since is None or not (arguments.tenant or arguments.store):
        refuse("name the writes by id, or by --since together with --tenant or --store", REFUSED)
        return None
    wanted = await _filter(parts, arguments)
    return None if wanted is None else await parts.history.revertible(wanted)


async def _filter(parts: Parts, arguments: argparse.Namespace) -> Filter | None:
    from server.tenancy.lookup import RefusedError, find_tenant
    from server.writes.history import Filter

    tenant_id = None
    if arguments.tenant:
        try:
            async with parts.database.read() as connection:
                tenant_id = (await find_tenant(connection, arguments.tenant)).id
        except RefusedError as error:
            refuse(str(error), REFUSED)
            return None
    return Filter(tenant_id, arguments.store, arguments.tool, getattr(arguments, "state", None), arguments.since)


def _summary(parts: Parts, row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": datetime.fromtimestamp(row.created_at / 1000, UTC).isoformat(timespec="seconds"),
        "tenant": row.tenant_name,
        "store_id": row.store_id,
        "tool": row.tool,
        "target": row.target,
        "state": parts.history.state_of(row),
        "error_code": row.error_code,
        "reverts": row.reverts,
        "request_id": row.request_id,
    }


def _print_rows(parts: Parts, rows: Sequence[Row[Any]], *, as_json: bool) -> None:
    summaries = [_summary(parts, row) for row in rows]
    if as_json:
        print(orjson.dumps(summaries).decode())
        return
    columns = ("id", "at", "tenant", "store_id", "tool", "target", "state")
    widths = {name: max([len(name), *(len(str(line[name])) for line in summaries)]) for name in columns}
    for line in [dict(zip(columns, columns, strict=True)), *summaries] if summaries else []:
        print("  ".join(str(line[name]).ljust(widths[name]) for name in columns).rstrip())


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _short(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= 60 else text[:57] + "..."

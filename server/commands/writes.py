"""`writes`: what the ledger holds, what nobody knows the outcome of, and taking writes back."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.commands import revert
from server.commands.operate import command, json_of, operate, operate_with_parts, show, table
from server.commands.selection import add_selection, selected
from server.commands.support import DONE, REFUSED
from server.commands.times import cell, encoded
from server.writes.states import STATES, UNDER_WAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Row

    from server.application import Parts
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings
    from server.writes.history import History

LIST: Final = """\
A line each: its id, month, day and time, the tool, what it was done to, and its
state; where they are of several tenants, whose it was instead of what it was
done to. --json has everything. The states:

  under-way  a server may be at it    done       it happened
  abandoned  nobody is at it now      failed     it changed nothing
  uncertain  nobody knows

Exit codes: 0 done; 1 an unknown tenant or store; 2 wrong usage or settings.

  python -m server writes list --tenant acme --since 2h
  python -m server writes list --tool orders_delete --state done"""
SHOW: Final = """\
As JSON, with --json or without: what was asked, what was there before and is
to be after, what the client was told, and the reverts. Handle it with care.

Exit codes: 0 done; 1 there is no such write; 2 wrong usage or settings.

  python -m server writes show w_0123456789abcdef01234567"""
UNCERTAIN: Final = """\
Also those that are under way or abandoned. With --look-up OrderDesk is asked,
and what it shows is settled as done.

Exit codes: 0 there are none (left); 1 there are some; 2 wrong usage or
settings.

  python -m server writes uncertain --tenant acme
  python -m server writes uncertain --look-up"""
SETTLE: Final = """\
For what --look-up does not find: look at OrderDesk first. The write's audit row
is completed, and that an operator said so is audited.

Exit codes: 0 settled; 1 it is unknown, under way, or settled already; 2 wrong
usage or settings.

  python -m server writes settle w_0123456789abcdef01234567 failed"""
LISTED: Final = 1_000
MORE: Final = re.compile(r" and (\d+) more\Z")  # how a batch's target ends


def add(commands: Subparsers) -> None:
    """Add `writes` and its actions."""
    actions = commands.add_parser("writes", help="what clients wrote; take it back").add_subparsers(
        required=True, metavar="ACTION"
    )
    listing = command(actions, "list", "writes, newest first", LIST)
    add_selection(listing)
    listing.add_argument("--state", choices=STATES, metavar="STATE", help="one of those above")
    listing.add_argument("--limit", type=_number, default=50, metavar="N", help="the newest N (%(default)s)")
    listing.set_defaults(command=list_writes)
    one = command(actions, "show", "one write, with the customer's data that it holds", SHOW)
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=show_write)
    uncertain = command(actions, "uncertain", "writes whose outcome nobody knows", UNCERTAIN)
    add_selection(uncertain)
    uncertain.add_argument("--look-up", action="store_true", help="ask OrderDesk, and settle those that it shows")
    uncertain.set_defaults(command=list_uncertain)
    settle = command(actions, "settle", "say what became of an uncertain write, after having looked", SETTLE)
    settle.add_argument("id", metavar="ID")
    settle.add_argument("outcome", choices=("done", "failed"))
    settle.set_defaults(command=settle_write)
    revert.add(actions)


def list_writes(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show writes. Returns 1 for a tenant or store that is not known."""

    async def work(storage: Storage) -> int:
        history = storage.history
        rows = await history.find(await selected(storage.database, arguments), arguments.limit + 1)
        _show_rows(history, arguments, rows[: arguments.limit])
        if len(rows) > arguments.limit:
            _say(f"Only the newest {arguments.limit} are shown: --limit N shows more.")
        return DONE

    return operate(settings, work)


def show_write(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show all that is kept of a write. Returns 1 where there is none."""

    async def work(storage: Storage) -> int:
        from server.writes.ledger import DONE as HAPPENED

        history, ledger = storage.history, storage.ledger
        row = await _known(history, arguments.id)
        reverts = [each.id for each in await history.reverts(row.id) if each.state == HAPPENED]
        opened = {"plan": ledger.opened(row, "sealed_plan"), "result": ledger.opened(row, "sealed_result")}
        document = _document(history, row) | {"reverted_by": reverts} | opened
        print(json_of(document, orjson.OPT_INDENT_2), flush=True)
        return DONE

    return operate(settings, work)


def list_uncertain(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show what is not settled, after looking it up if asked to. Returns 1 where there is anything."""

    async def look_up(parts: Parts) -> int:
        for row in await _unsettled(parts, arguments, "looked up"):
            _say(f"{row.id}: {await _looked_up(parts, row)}")
        return await told(parts)

    async def told(storage: Storage | Parts) -> int:
        rows = await _unsettled(storage, arguments, "shown")
        _show_rows(storage.history, arguments, rows)
        if not rows:
            _say("The outcome of every write is known.")
        elif not arguments.json:
            _say(
                "Look them up with --look-up; what OrderDesk does not show: look there, then writes settle ID "
                "done|failed."
            )
        return REFUSED if rows else DONE

    return operate_with_parts(settings, look_up) if arguments.look_up else operate(settings, told)


async def _unsettled(storage: Storage | Parts, arguments: argparse.Namespace, done: str) -> list[Row[Any]]:
    """The newest LISTED of those that are not settled; where there are more, says to what alone it is `done`."""
    rows = await storage.history.unsettled(await selected(storage.database, arguments), LISTED + 1)
    if len(rows) > LISTED:
        _say(f"Only the newest {LISTED} are {done}: choose others by --tenant, --store or --tool.")
    return rows[:LISTED]


async def _looked_up(parts: Parts, row: Row[Any]) -> str:
    from server.errors import ToolError
    from server.tenancy.vault import VaultError

    if parts.history.state_of(row) == UNDER_WAY:
        return "it may still be under way"
    try:
        found = await parts.recovery.look_up(row)
    except ToolError as error:
        return f"OrderDesk could not say: {error.message}"
    except VaultError as error:
        return f"what it was cannot be read: {error}"
    return "it happened; settled" if found else "OrderDesk does not show it"


def settle_write(settings: Settings, arguments: argparse.Namespace) -> int:
    """Settle a write. Returns 1 where it is unknown, under way or settled."""

    async def work(storage: Storage) -> int:
        from server.tenancy.lookup import RefusedError

        history = storage.history
        row = await _known(history, arguments.id)
        if history.state_of(row) == UNDER_WAY:
            raise RefusedError(f"{row.id} may still be under way; try again in a minute")
        if not await history.settle(row, happened=arguments.outcome == "done"):
            raise RefusedError(f"{row.id} is settled already: {row.state}")
        show(arguments, {"id": row.id, "state": arguments.outcome}, [f"{row.id} is {arguments.outcome} now"])
        return DONE

    return operate(settings, work)


async def _known(history: History, write_id: str) -> Row[Any]:
    from server.tenancy.lookup import RefusedError

    row = await history.get(write_id)
    if row is None:
        raise RefusedError(f"there is no write {write_id}; see: python -m server writes list")
    return row


def _document(history: History, row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": encoded(row.created_at),
        "tenant": row.tenant_name,
        "store_id": row.store_id,
        "tool": row.tool,
        "target": row.target,
        "state": history.state_of(row),
        "error_code": row.error_code,
        "reverts": row.reverts,
        "request_id": row.request_id,
    }


def _show_rows(history: History, arguments: argparse.Namespace, rows: Sequence[Row[Any]]) -> None:
    """An order's number says nothing without its tenant, and both do not fit a line: nor does the year."""
    several = len({row.tenant_id for row in rows}) > 1
    heads = ("ID", "ASKED (UTC)", *(("TENANT", "TOOL") if several else ("TOOL", "TARGET")), "STATE")
    cells = [
        (
            row.id,
            cell(row.created_at).partition("-")[2],
            *((row.tenant_name, row.tool) if several else (row.tool, MORE.sub(r" +\1", row.target))),
            history.state_of(row),
        )
        for row in rows
    ]
    documents = [_document(history, row) for row in rows]
    show(arguments, documents, table(heads, cells, elastic=("TENANT", "TOOL", "TARGET")))


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of lines")
    return int(text)


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)

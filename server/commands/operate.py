"""What operator commands have in common: refusals in one line, and an answer for a person or as JSON."""

from __future__ import annotations

import argparse
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.commands.support import REFUSED, USAGE, refuse, run_with_parts, run_with_storage

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from server.application import Parts
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings
    from server.tenancy.lookup import TenantRow

REASON_LENGTH: Final = 200
SCREEN: Final = 80
CONTROLS: Final = re.compile(r"[\x7f-\x9f]")
SHORTEST: Final = 12
CUT: Final = "..."


def operate(settings: Settings, work: Callable[[Storage], Awaitable[int]]) -> int:
    """As `run_with_storage`; what `work` refuses (RefusedError, ToolError) or cannot write is told in one line."""
    return run_with_storage(settings, lambda storage: _refusing(work(storage)))


def operate_with_parts(settings: Settings, work: Callable[[Parts], Awaitable[int]], *, obey_brakes: bool = True) -> int:
    """As `operate`, for what needs OrderDesk: with the server's own parts."""
    return run_with_parts(settings, lambda parts: _refusing(work(parts)), obey_brakes=obey_brakes)


async def _refusing(work: Awaitable[int]) -> int:
    from server.errors import ToolError
    from server.tenancy.lookup import RefusedError

    try:
        return await work
    except RefusedError as error:
        return refuse(str(error), REFUSED)
    except ToolError as error:
        return refuse(error.message, REFUSED)
    except BrokenPipeError:  # nobody reads any more: told to nobody
        raise
    except OSError as error:
        return refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error), USAGE)


@asynccontextmanager
async def tenant_in(
    connecting: AbstractAsyncContextManager[AsyncConnection], arguments: argparse.Namespace
) -> AsyncIterator[tuple[AsyncConnection, TenantRow]]:
    """A transaction, and the tenant that the arguments name. Raises RefusedError."""
    from server.tenancy.lookup import find_tenant

    async with connecting as connection:
        yield connection, await find_tenant(connection, arguments.tenant)


def show(arguments: argparse.Namespace, document: Any, lines: Iterable[str]) -> None:
    """Print `document` alone with --json, else the lines."""
    print(json_of(document) if arguments.json else "\n".join(map(printable, lines)), flush=True)


def printable(line: str) -> str:
    """The line without what would steer a terminal: clients choose some of what is shown."""
    return line if line.isprintable() else "".join(map(_escaped, line))


def json_of(document: Any, option: int | None = None) -> str:
    """The document as JSON in which a terminal finds nothing to obey: orjson leaves DEL and U+0080 to U+009F."""
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", orjson.dumps(document, option=option).decode())


def _escaped(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def show_all(
    arguments: argparse.Namespace,
    document: dict[str, Any],
    member: str,
    heads: tuple[str, ...],
    entries: Iterable[tuple[dict[str, Any], tuple[str, ...]]],
    elastic: tuple[str, ...] = (),
) -> None:
    """Print entries, each a document and the cells of a row: all in `document` as `member`, or as a table."""
    documents, rows = [], []
    for each, cells in entries:
        documents.append(each)
        rows.append(cells)
    show(arguments, {**document, member: documents}, table(heads, rows, elastic))


def command(actions: Subparsers, name: str, help_: str, more: str | None = None) -> argparse.ArgumentParser:
    """A parser for one action, with --json. `more` is told by its --help, line by line as it is."""
    description = help_[0].upper() + help_[1:] + "."
    parser = actions.add_parser(
        name,
        help=help_,
        description=description if more is None else f"{description}\n\n{more}",
        formatter_class=argparse.HelpFormatter if more is None else argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser


def add_tenant(parser: argparse.ArgumentParser) -> None:
    """Let the command name its tenant."""
    parser.add_argument("tenant", metavar="TENANT", help="id or name")


def reason(text: str) -> str:
    """Why something is done: 1 to REASON_LENGTH characters on one line. Raises ArgumentTypeError."""
    line = " ".join(text.split())
    if not 0 < len(line) <= REASON_LENGTH:
        raise argparse.ArgumentTypeError(f"a reason has 1 to {REASON_LENGTH} characters")
    return line


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], elastic: tuple[str, ...] = ()) -> list[str]:
    """Lines of aligned columns; those of the `elastic` heads are cut where the lines are longer than a screen is wide.

    JSON has what is cut.
    """
    whole = [heads, *rows]
    widths = [max(len(row[column]) for row in whole) for column in range(len(heads))]
    shrinking = [column for column, head in enumerate(heads) if head in elastic]
    while sum(widths) + 2 * (len(widths) - 1) > SCREEN:
        widest = max(
            (column for column in shrinking if widths[column] > SHORTEST), key=widths.__getitem__, default=None
        )
        if widest is None:
            break
        widths[widest] -= 1
    return ["  ".join(map(_fitted, row, widths)).rstrip() for row in whole]


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - len(CUT)] + CUT

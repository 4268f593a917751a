"""What operator commands have in common: refusals in one line, and an answer for a person or as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.commands.support import REFUSED, USAGE, refuse, run_with_storage

if TYPE_CHECKING:
    from server.commands.support import Storage, Subparsers
    from server.settings import Settings

REASON_LENGTH: Final = 200
SCREEN: Final = 80
SHORTEST: Final = 12
CUT: Final = "..."


def operate(settings: Settings, work: Callable[[Storage], Awaitable[int]]) -> int:
    """As `run_with_storage`; what `work` refuses (RefusedError, ToolError) or cannot write is told in one line."""
    from server.errors import ToolError
    from server.tenancy.lookup import RefusedError

    async def run(storage: Storage) -> int:
        try:
            return await work(storage)
        except RefusedError as error:
            return refuse(str(error), REFUSED)
        except ToolError as error:
            return refuse(error.message, REFUSED)
        except BrokenPipeError:  # nobody reads any more: told to nobody
            raise
        except OSError as error:
            return refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error), USAGE)

    return run_with_storage(settings, run)


def show(arguments: argparse.Namespace, document: Any, lines: Iterable[str]) -> None:
    """Print `document` alone with --json, else the lines."""
    print(orjson.dumps(document).decode() if arguments.json else "\n".join(lines), flush=True)


def command(actions: Subparsers, name: str, help_: str) -> argparse.ArgumentParser:
    """A parser for one action, with --json."""
    parser = actions.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    return parser


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

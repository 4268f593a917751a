"""python -m server COMMAND: what an operator runs on the server's own machine."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from server import __version__
from server.commands import COMMANDS
from server.commands.support import USAGE, refuse
from server.settings import Settings, SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 refused, 2 wrong usage or settings, 3 internal.

    Where nobody reads the output any more it is 141, as of any program that a closed pipe ends.
    """
    try:
        try:
            return _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        # What is still buffered would be tried again, and fail again, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141 if isinstance(error, BrokenPipeError) else refuse(f"standard output: {error.strerror}")


def _run(arguments: Sequence[str] | None) -> int:
    parsed = _parser().parse_args(arguments)
    if "standalone" in parsed:
        code: int = parsed.standalone(parsed)
        return code
    try:
        settings = Settings.load(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"server: {problem}", file=sys.stderr)
        return USAGE
    try:
        code = parsed.command(settings, parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:
        return refuse(f"DATABASE_URL {settings.database_url}: {error.strerror or error}")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server", description="The Quartermaster MCP server.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser

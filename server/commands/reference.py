"""python -m server reference PAGE: the generated reference pages and .env templates, on standard output."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from server.commands.support import DONE

if TYPE_CHECKING:
    from server.commands.support import Subparsers


def add(commands: Subparsers) -> None:
    """Add `reference` and its pages."""
    pages = commands.add_parser("reference", help="print a reference page or a template of settings").add_subparsers(
        required=True, metavar="PAGE"
    )
    template = pages.add_parser("env", help="the .env template of an environment")
    template.add_argument("environment", choices=("development", "staging", "production"))
    template.set_defaults(standalone=print_template)
    for name, page, about in (
        ("environments", print_environments, "docs/ENVIRONMENTS.md: every setting in each environment"),
        ("tools", print_tools, "docs/TOOLS.md: every tool"),
        ("errors", print_errors, "docs/ERRORS.md: every error"),
    ):
        pages.add_parser(name, help=about).set_defaults(standalone=page)


def print_template(arguments: argparse.Namespace) -> int:
    """Print an environment's template."""
    from server.reference.template import template

    return _print(template(arguments.environment))


def print_environments(_arguments: argparse.Namespace) -> int:
    """Print docs/ENVIRONMENTS.md."""
    from server.reference.environments_page import environments_page

    return _print(environments_page())


def print_tools(_arguments: argparse.Namespace) -> int:
    """Print docs/TOOLS.md."""
    from server.reference.tools_page import tools_page

    return _print(tools_page())


def print_errors(_arguments: argparse.Namespace) -> int:
    """Print docs/ERRORS.md."""
    from server.reference.errors_page import errors_page

    return _print(errors_page())


def _print(text: str) -> int:
    sys.stdout.buffer.write(text.encode())  # the pages are UTF-8 whatever the terminal is
    return DONE

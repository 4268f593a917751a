"""python -m server serve: serve until SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from server.commands.support import DONE, INTERNAL, refuse

if TYPE_CHECKING:
    from server.commands.support import Subparsers
    from server.settings import Settings


def add(commands: Subparsers) -> None:
    """Add `serve`."""
    commands.add_parser("serve", help="serve until SIGTERM").set_defaults(command=run)


def run(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Bind, serve, and drain. Returns 0 when no call was lost, 2 where it cannot listen, 3 when it failed."""
    from sqlalchemy.engine import make_url

    from server.application import build_application
    from server.serve import bind, serve
    from server.telemetry.logging import configure
    from server.telemetry.tracking import tracking

    with contextlib.suppress(FileNotFoundError):  # it may be made while the server runs; until then it is not ready
        Path(make_url(settings.database_url).database or "").stat()
    try:
        listener = bind(settings)
    except OSError as error:
        return refuse(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set HOST or PORT")
    with tracking(settings) as tracker:
        logger = configure(settings.log_level, report=tracker.processor if tracker else None)
        edge = build_application(settings, logger, tracker=tracker)
        return DONE if serve(edge, settings, listener, logger) else INTERNAL

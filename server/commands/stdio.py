"""python -m server stdio: serve one client on the standard streams, as the tenant whose key TENANT_KEY is."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING

from server.commands.support import DONE, INTERNAL, refuse, run_with_parts
from server.errors import SuspendedError
from server.telemetry.tracking import tracking

if TYPE_CHECKING:
    from server.application import Parts
    from server.commands.support import Subparsers
    from server.settings import Settings


def add(commands: Subparsers) -> None:
    """Add `stdio`."""
    commands.add_parser("stdio", help="serve one client on standard input and output").set_defaults(command=run)


def run(settings: Settings, _arguments: argparse.Namespace) -> int:
    """Serve until the input ends or SIGTERM. Returns 0 when no call was lost, 2 where it cannot begin, 3 otherwise."""
    # Where one is closed, a file opened later takes its number: answers would be written into the database.
    if None in {sys.stdin, sys.stdout, sys.stderr}:
        return refuse("stdio needs all three standard streams open")
    # Only answers may reach the client: whatever else is printed goes where the log goes.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if settings.tenant_key is None:
        settings = settings.model_copy(update={"toolsets": (*settings.toolsets, "tenant")})

    async def work(parts: Parts) -> int:
        from server.stdio import LogStream, converse
        from server.telemetry.logging import AccessLog, configure

        if settings.tenant_key is not None:
            key = settings.tenant_key.get_secret_value()
            try:
                caller = await parts.tenants.authenticate(key)
            except SuspendedError:  # calls are told so, and answered when the brake is let go
                pass
            else:
                if caller is None:
                    return refuse("TENANT_KEY: is no valid key of a tenant: it is unknown, expired or revoked")
        log = io.BufferedWriter(LogStream(sys.stderr.fileno()))
        logger = configure(settings.log_level, log, tracker.processor if tracker else None)
        access_log = AccessLog(settings.log_level, log)
        complete = await converse(
            settings, parts, logger, access_log, source=sys.stdin.fileno(), sink=answers, tracker=tracker
        )
        return DONE if complete else INTERNAL

    with tracking(settings) as tracker:
        return run_with_parts(settings, work)

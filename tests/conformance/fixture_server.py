"""Serve the fixture's surface on the production transport, to callers without a key.

    PYTHONPATH=. MASTER_KEY=… DATABASE_URL=sqlite:////tmp/fixture.db PORT=0 python tests/conformance/fixture_server.py

Settings come from the environment as the server's own do, and it logs `server.listening` as the server does.
"""

import os
import secrets
import sys

from server.application import build_application
from server.protocol.exchange import Surface
from server.serve import bind, serve
from server.settings import Settings
from server.telemetry.logging import configure
from server.tenancy.tenants import Caller
from tests.conformance.surface import fixture_surface

EVERYONE = Caller("fixture", "fixture", "fixture")


async def accept_everyone(_key: str | None, _address: str | None) -> Caller:
    """The suite cannot send a key with all of its requests."""
    return EVERYONE


def run(surface: Surface) -> int:
    """Serve a surface until SIGTERM; returns the exit code."""
    settings = Settings.load(os.environ)
    logger = configure(settings.log_level)
    edge = build_application(settings, logger, surface=surface, authenticate=accept_everyone)
    return 0 if serve(edge, settings, bind(settings), logger) else 1


if __name__ == "__main__":
    sys.exit(run(fixture_surface(secrets.token_bytes(32))))

"""python -m server COMMAND: what an operator runs on the server's own machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from server import __version__
from server.settings import Settings, SettingsError

if TYPE_CHECKING:
    from server.application import Parts

USAGE = 2
INTERNAL = 3
NAME_LENGTH = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 refused, 2 wrong usage or settings, 3 internal."""
    parsed = _parser().parse_args(arguments)
    try:
        settings = Settings.load(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"server: {problem}", file=sys.stderr)
        return USAGE
    try:
        code: int = parsed.command(settings, parsed)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return _refuse(f"DATABASE_URL {settings.database_url}: {error.strerror or error}")
    return code


def _refuse(message: str) -> int:
    print(f"server: {message}", file=sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m server", description="The Quartermaster MCP server.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("serve", help="serve until SIGTERM").set_defaults(command=_serve)
    commands.add_parser("migrate", help="bring the database to the newest schema").set_defaults(command=_migrate)
    commands.add_parser("check", help="check the settings, and show them").set_defaults(command=_check)
    tenant = commands.add_parser("tenant", help="tenants").add_subparsers(required=True, metavar="ACTION")
    create = tenant.add_parser("create", help="create a tenant; prints its key, once")
    create.add_argument("name")
    create.set_defaults(command=_create_tenant)
    return parser


def _serve(settings: Settings, _arguments: argparse.Namespace) -> int:
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - a settings problem is told before a second of imports

    from server.application import build_application  # noqa: PLC0415
    from server.serve import bind, serve  # noqa: PLC0415
    from server.telemetry.logging import configure  # noqa: PLC0415

    with contextlib.suppress(FileNotFoundError):  # it may be made while the server runs; until then it is not ready
        Path(make_url(settings.database_url).database or "").stat()
    try:
        listener = bind(settings)
    except OSError as error:
        return _refuse(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set HOST or PORT")
    logger = configure(settings.log_level)
    return 0 if serve(build_application(settings, logger), settings, listener, logger) else INTERNAL


def _migrate(settings: Settings, _arguments: argparse.Namespace) -> int:
    from server.storage.migrate import MigrationError, upgrade  # noqa: PLC0415 - Alembic is needed here only
    from server.storage.tables import HEAD  # noqa: PLC0415

    try:
        upgrade(settings.database_url)
    except MigrationError as error:
        return _refuse(f"DATABASE_URL {settings.database_url}: {error}")
    print(f"The database is at revision {HEAD}")
    return 0


def _check(settings: Settings, _arguments: argparse.Namespace) -> int:
    print(orjson.dumps(settings.public(), option=orjson.OPT_INDENT_2).decode())
    return 0


def _create_tenant(settings: Settings, arguments: argparse.Namespace) -> int:
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415

    from server.application import build_parts  # noqa: PLC0415
    from server.telemetry.logging import configure  # noqa: PLC0415
    from server.tenancy.tenants import TenantExistsError  # noqa: PLC0415

    name = arguments.name.strip()
    if not 0 < len(name) <= NAME_LENGTH:
        return _refuse(f"a tenant's name has 1 to {NAME_LENGTH} characters")

    async def create(parts: Parts) -> int:
        try:
            if await parts.database.revision() is None:
                return _refuse(
                    f"DATABASE_URL {settings.database_url}: the database is empty; run: python -m server migrate"
                )
            caller, key = await parts.tenants.create(name)
        except TenantExistsError as error:
            print(f"server: {error}", file=sys.stderr)
            return 1
        except DatabaseError as error:
            return _refuse(f"DATABASE_URL {settings.database_url}: {error.orig}")
        finally:
            await parts.database.close()
        print(orjson.dumps({"tenant_id": caller.tenant_id, "name": caller.tenant_name, "key": str(key)}).decode())
        return 0

    return asyncio.run(create(build_parts(settings, configure("warning"))))

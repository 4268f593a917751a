"""python -m server check: whether this server would run as it is set up, and with which settings."""

from __future__ import annotations

import argparse
import asyncio
import os
from typing import TYPE_CHECKING

import orjson

from server.commands.support import DONE, REFUSED

if TYPE_CHECKING:
    from server.checks import Finding
    from server.commands.support import Subparsers
    from server.settings import Settings


def add(commands: Subparsers) -> None:
    """Add `check`."""
    parser = commands.add_parser("check", help="check the settings and what they lead to, and show them")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    parser.set_defaults(command=run)


def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show the settings, secrets hidden, and what was found. Returns 1 when something does not hold."""
    findings = asyncio.run(_look(settings))
    holds = all(finding.status != "failed" for finding in findings)
    print(_as_json(settings, findings, holds=holds) if arguments.json else _as_text(settings, findings))
    return DONE if holds else REFUSED


async def _look(settings: Settings) -> list[Finding]:
    from server import __version__, checks
    from server.storage.database import Database
    from server.storage.disk import DiskReserve
    from server.telemetry.metrics import Metrics
    from server.tenancy.vault import Vault

    database = Database(settings.database_url, Metrics(__version__, settings.environment))
    disk = DiskReserve(database.path, settings.disk_reserve_bytes)
    try:
        return [
            *checks.check_settings(settings, os.environ),
            *checks.check_storage(database.path, disk.reserve_bytes, disk.free_bytes()),
            *await checks.check_database(database, Vault(*settings.master_keys_bytes)),
        ]
    finally:
        await database.close()


def _as_json(settings: Settings, findings: list[Finding], *, holds: bool) -> str:
    from server.environments import default_of

    shown = {
        name: {"value": value, "set": name in settings.model_fields_set, "default": default_of(name) or None}
        for name, value in settings.public().items()
    }
    return orjson.dumps(
        {
            "status": "ok" if holds else "failed",
            "environment": settings.environment,
            "settings": shown,
            "checks": [
                {"check": finding.check, "status": finding.status, "message": finding.message} for finding in findings
            ],
        },
        option=orjson.OPT_INDENT_2,
    ).decode()


def _as_text(settings: Settings, findings: list[Finding]) -> str:
    from server.environments import SECTIONS, in_environment

    public = settings.public()
    detected = "set by ENVIRONMENT" if "environment" in settings.model_fields_set else "the default"
    lines = [f"Environment: {settings.environment} ({detected})"]
    width = max(map(len, public)) + 2
    for section, names in SECTIONS.items():
        lines += ["", section]
        for name in names:
            origin = "set" if name in settings.model_fields_set else "default"
            lines.append(f"  {name.upper():<{width}}{origin:<9}{in_environment(public[name]) or '(none)'}")
    lines += ["", "Checks"]
    lines += [f"  {finding.status:<8}{finding.check}: {finding.message}" for finding in findings]
    failed = sum(finding.status == "failed" for finding in findings)
    return "\n".join([*lines, "", f"{failed} of {len(findings)} do not hold." if failed else "All holds."])

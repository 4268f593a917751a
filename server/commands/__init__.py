"""The commands of `python -m server`: one module each, with `add(commands)` that adds its parser.

A parser's `command` is a function(settings, arguments) that returns the exit code; one that needs no settings sets
`standalone`, a function(arguments), instead.
"""

from __future__ import annotations

from server.commands import brake, check, key, migrate, reference, seed, serve, stdio, tenant, tracking, writes

COMMANDS = (serve, stdio, migrate, check, tenant, key, brake, writes, seed, tracking, reference)

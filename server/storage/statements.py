"""A log of every statement that reaches the database, for those who must know what really did; never in production."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Engine, event

from server.telemetry.request import CURRENT_REQUEST

MODE: Final = 0o600


def log_statements(engine: Engine, path: Path) -> None:
    """Append a JSON line for each statement to `path`: its text, and its parameters, which hold tenants' data.

    Parameters are as Python writes them: a tuple, or a list of tuples where the statement was executed once for each.
    `request_id` is the request's that the statement was made for, or the command's; empty in the background.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, MODE)

    @event.listens_for(engine, "before_cursor_execute")
    def _log(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        line = {"statement": statement, "parameters": repr(_plain(parameters)), "request_id": CURRENT_REQUEST.get()}
        os.write(file, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def _plain(parameters: Any) -> Any:
    """Parameters of which each says what it holds: of bytes, the driver is given a view."""
    if isinstance(parameters, list | tuple):
        return type(parameters)(map(_plain, parameters))
    return bytes(parameters) if isinstance(parameters, memoryview) else parameters

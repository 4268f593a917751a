"""Which request the running task works for: told once where it arrives, known to all that is done for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

# Empty in what a server does by itself, in the background.
CURRENT_REQUEST: Final[ContextVar[str]] = ContextVar("request_id", default="")

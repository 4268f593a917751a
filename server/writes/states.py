"""The states of a write as an operator reads and asks for them; by its age, an intent is one of the first two."""

from __future__ import annotations

from typing import Final

UNDER_WAY: Final = "under-way"
ABANDONED: Final = "abandoned"
STATES: Final = (UNDER_WAY, ABANDONED, "done", "failed", "uncertain")

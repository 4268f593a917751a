"""What a request did before it failed: its last steps by name, time and outcome, kept with the task that answers it."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from server.protocol.exchange import Notes

LONGEST: Final = 50
Category = Literal["tool", "orderdesk", "database"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that took `seconds` and ended at `ended`, since the epoch. Names are the server's own words."""

    category: Category
    name: str
    status: str
    seconds: float
    ended: float


@dataclass(slots=True)
class Trail:
    """One request: what is known of it, and its last LONGEST steps."""

    request_id: str
    notes: Notes
    clock: Callable[[], float] = time.time
    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))
    steps: deque[Step] = field(default_factory=lambda: deque(maxlen=LONGEST))
    started: float = 0.0

    def __post_init__(self) -> None:
        self.started = self.clock()


# Only a tracker sets it: where errors are not reported, a step is a look at this variable and no more.
TRAIL: Final[ContextVar[Trail | None]] = ContextVar("trail", default=None)


def step(category: Category, name: str, status: str, seconds: float) -> None:
    """Note a step that has just ended, if errors are reported and this is done for a request."""
    trail = TRAIL.get()
    if trail is not None:
        trail.steps.append(Step(category, name, status, seconds, trail.clock()))

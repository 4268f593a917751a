"""The `[load]` table of ops.toml: profiles of load, each with its mix and its limits."""

import difflib
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.config import ConfigurationError, Table

Kind = Literal["cached_read", "uncached_read", "protocol", "update"]
"""What is timed apart: reads that the server's cache answered, other reads, protocol methods, updates."""
Percent = Annotated[int, Field(ge=0, le=100)]
Rate = Annotated[float, Field(ge=0, le=1)]


class Profile(Table):
    """`[load.profiles.NAME]`: so many users for so long, one call at a time each, and what must hold."""

    users: Annotated[int, Field(ge=1, le=10_000)]
    seconds: Annotated[int, Field(ge=1, le=86_400)]
    think_milliseconds: Annotated[int, Field(ge=0)] = 0
    """How long a user waits after each answer."""
    protocol_percent: Percent = 0
    update_percent: Percent = 0
    """Parts of all calls; the rest are reads."""
    minimum_answers: Annotated[int, Field(ge=1)]
    """With fewer answers the run is inconclusive."""
    failed_rate: Rate = 0.0
    """The part of requests that may fail (no answer, or an HTTP status from 400)."""
    passed_rate: Rate = 1.0
    """The part of answers whose content must be right."""
    p95_milliseconds: dict[Kind, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Limits of the 95th percentile by kind."""

    @model_validator(mode="after")
    def _leaves_room_for_reads(self) -> Self:
        if self.protocol_percent + self.update_percent > 100:
            raise ValueError("protocol_percent and update_percent are more than 100 together")
        return self


class LoadTable(Table):
    """`[load]`: the profiles by name."""

    profiles: dict[str, Profile] = Field(default_factory=dict)

    def find(self, name: str) -> Profile:
        """Return the profile of this name. Raises ConfigurationError that names those there are."""
        if name in self.profiles:
            return self.profiles[name]
        close = difflib.get_close_matches(name, self.profiles, n=1)
        known = f"did you mean {close[0]}?" if close else f"known: {', '.join(self.profiles) or 'none'}"
        raise ConfigurationError(f"profile {name} is not in ops.toml's [load.profiles] ({known})")

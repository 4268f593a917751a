"""The table `[load.capacity]` of ops.toml: where the search begins, how it goes on, and what it must find."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.config import Table

PerSecond = Annotated[int, Field(ge=1, le=100_000)]


class CapacityTable(Table):
    """`[load.capacity]`: steps of calls that arrive at a fixed rate, each sent by a fresh k6."""

    first_per_second: PerSecond = 100
    """The lightest step; what calls take there is what they take on a server at rest."""
    most_per_second: PerSecond = 20_000
    """The heaviest."""
    step_seconds: Annotated[int, Field(ge=2, le=3600)] = 10
    within_percent: Annotated[float, Field(gt=0, le=100)] = 10.0
    """The search ends when the capacity is known so exactly."""
    knee_factor: Annotated[float, Field(gt=1)] = 3.0
    """Beyond the knee calls take so many times what they take at the lightest step."""
    least_per_second: Annotated[float, Field(ge=0)] = 0.0
    """With less capacity the run fails."""

    @model_validator(mode="after")
    def _can_be_meant(self) -> Self:
        if self.first_per_second > self.most_per_second:
            raise ValueError("first_per_second is more than most_per_second")
        if self.least_per_second > self.most_per_second:
            raise ValueError("least_per_second is more than most_per_second: it could never be found")
        return self

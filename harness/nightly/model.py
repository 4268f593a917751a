"""The `[nightly]` table of ops.toml: which jobs run every night, in which order, and how long each may take."""

from collections import Counter
from typing import Annotated, Self

from pydantic import Field, model_validator

from harness.config import Table
from harness.record import PartName


class Job(Table):
    """`[[nightly.jobs]]`: one part of the night."""

    name: PartName
    """What the part is called in the record; its checks' ids start with it."""
    command: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    """The words after `./inv`; `--json` is added."""
    budget_seconds: Annotated[float, Field(gt=0)]
    """When that has passed, the part is ended and counts as inconclusive."""
    needs_outside: bool = False
    """Whether it needs anything outside this machine; `--quick` leaves it out then."""


class NightlyTable(Table):
    """`[nightly]`: the jobs, in the order in which they run."""

    jobs: tuple[Job, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        if any(job.command[0] == "nightly" for job in self.jobs):
            raise ValueError("nightly cannot be one of its own jobs")
        if twice := [name for name, count in Counter(job.name for job in self.jobs).items() if count > 1]:
            raise ValueError(f"more than one job is named {twice[0]}")
        return self

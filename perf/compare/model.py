"""The `[load.compare]` table of ops.toml: the load that both revisions get, and from when on one of them fails."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from harness.config import Table, find_entry
from perf.loss import Limits


class Call(Table):
    """A call of a tool, which the sandbox's data (seed 1) let succeed and answer the same each time."""

    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class CompareProfile(Table):
    """`[load.compare.profiles.NAME]`: what is called, by how many connections, each with one call at a time."""

    connections: Annotated[int, Field(ge=1, le=1_000)] = 16
    settings: dict[str, str] = Field(default_factory=dict)
    """Environment variables of both servers."""
    calls: Annotated[list[Call], Field(min_length=1)]
    """Connection i makes call i, modulo their count, again and again."""

    @model_validator(mode="after")
    def _makes_every_call(self) -> Self:
        if len(self.calls) > self.connections:
            raise ValueError(f"{len(self.calls)} calls need as many connections, one each")
        return self


class CompareTable(Table):
    """`[load.compare]`: how two revisions are measured by turns, and judged."""

    blocks: Annotated[int, Field(ge=6, le=100)] = 6
    """Blocks ABBA: four fresh servers each."""
    warm_up_seconds: Annotated[float, Field(ge=0, le=60)] = 0.5
    seconds: Annotated[float, Field(ge=0.5, le=600)] = 2.0
    """How long each server is measured."""
    processor_time: Limits = Limits(slower_percent=10, visible_percent=30)
    """The server's processor time per call."""
    seconds_per_call: Limits = Limits(slower_percent=15, visible_percent=45)
    """The inverse of its calls per second."""
    p95: Limits = Limits(slower_percent=30, visible_percent=90)
    profiles: dict[str, CompareProfile] = Field(default_factory=dict)

    def find(self, name: str) -> CompareProfile:
        """Return the profile of this name. Raises ConfigurationError that names the closest one."""
        return find_entry(self.profiles, name, kind="profile", place="ops.toml's [load.compare.profiles]")

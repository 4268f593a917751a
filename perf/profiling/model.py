"""The tables of `[profile]` that `./inv profile` reads: how a loaded server is sampled, how often tools are called."""

from typing import Annotated

from pydantic import Field

from harness.config import Table

Count = Annotated[int, Field(ge=1)]


class SamplingTable(Table):
    """`[profile.sampling]`: users that read without pause, and how a server's stacks are looked at meanwhile."""

    users: Annotated[int, Field(ge=1, le=1_000)] = 10
    seconds: Annotated[int, Field(ge=1, le=600)] = 15
    """How long stacks are sampled for the collapsed stacks, and once more for the flame graph."""
    rate: Annotated[int, Field(ge=1, le=1_000)] = 200
    """Samples per second."""
    minimum_samples: Count = 300
    """With fewer stacks of a server at work the run is inconclusive."""
    cached_share: Annotated[float, Field(ge=0, le=1)] = 0.9
    """The part of the answers that must have come from the server's cache."""


class ToolsTable(Table):
    """`[profile.tools]`: how often each tool is called."""

    calls: Annotated[int, Field(ge=1, le=10_000)] = 100
    """A p95 stands on 100 samples."""

"""The table `[profile.cache]`: how long, how much and with which times to live the cache is used."""

from typing import Annotated

from pydantic import Field

from harness.config import Table

Rate = Annotated[float, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(ge=0, le=3_600)]


class MemoryTable(Table):
    """`[profile.cache.memory]`: a cache that is asked for far more than it may hold."""

    max_bytes: Annotated[int, Field(ge=1_000_000)] = 8_000_000
    """What the server is told that its cache may hold."""
    times: Annotated[float, Field(ge=4, le=100)] = 6.0
    """So many times that is asked for, nothing twice; after two of them the server may grow by the bound at most."""


class CacheTable(Table):
    """`[profile.cache]`: the same reads, writes and changes by others for each time to live."""

    seconds_to_live: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (0, 2, 10, 30, 60)
    """Of everything that is cached, on a server for each; one more has the times that it has by default."""
    warm_up_seconds: Seconds = 30.0
    """Not measured: entries that live for a minute are not all there at once."""
    seconds: Annotated[float, Field(gt=0, le=3_600)] = 120.0
    reads_per_second: Rate = 10.0
    writes_per_second: Rate = 0.1
    """Through the server, each read before and after."""
    changes_per_second: Rate = 0.5
    """By somebody else, at OrderDesk."""
    minimum_answers: Annotated[int, Field(ge=1)] = 30
    """Fewer of any tool: inconclusive."""
    memory: MemoryTable = MemoryTable()

"""What one run of the load generator is told, and what it tells afterwards: JSON in a file and on standard output."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class ToolCall:
    """A call, and the structured content that its answer must have."""

    tool: str
    arguments: dict[str, Any]
    expected: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A closed loop of keep-alive connections to one endpoint; connection number i makes call i modulo their count.

    `processor` is the one that the generator runs on, `server_pid` the process whose processor time it measures.
    """

    host: str
    port: int
    token: str | None = field(repr=False)
    version: str
    connections: int
    seconds: float
    processor: int
    server_pid: int
    calls: tuple[ToolCall, ...]

    def dump(self) -> bytes:
        """The plan as JSON."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Self:
        """The plan that `dump` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "calls": tuple(ToolCall(**call) for call in fields["calls"])})


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `calls` counts every answered tool call, `limited` every request that a limiter counts.

    The loop answered `loop_calls` in `seconds`, for which generator and server spent the processor seconds given.
    """

    calls: int
    limited: int
    loop_calls: int
    seconds: float
    generator_seconds: float
    server_seconds: float

    @property
    def calls_per_second(self) -> float:
        """Answered tool calls per second."""
        return self.loop_calls / self.seconds

    @property
    def generator_share(self) -> float:
        """The part of a processor that the generator used."""
        return self.generator_seconds / self.seconds

    @property
    def server_share(self) -> float:
        """The part of a processor that the server used, all its threads together."""
        return self.server_seconds / self.seconds

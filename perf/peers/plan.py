"""What one run of the load generator is told, and what it tells afterwards: JSON in a file and on standard output."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class Call:
    """A request, and what its answer must hold: a tool's structured content, or else the result itself."""

    method: str
    params: dict[str, Any]
    expected: dict[str, Any]

    def holds(self, result: dict[str, Any]) -> bool:
        """Whether a result is the one expected."""
        found = result.get("structuredContent") if self.method == TOOLS_CALL else result
        return not result.get("isError") and found == self.expected


TOOLS_CALL = "tools/call"


def tool_call(name: str, arguments: dict[str, Any], expected: dict[str, Any]) -> Call:
    """A call of a tool that must answer with this structured content."""
    return Call(TOOLS_CALL, {"name": name, "arguments": arguments}, expected)


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
    calls: tuple[Call, ...]

    def dump(self) -> bytes:
        """The plan as JSON."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def load(cls, text: bytes) -> Self:
        """The plan that `dump` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "calls": tuple(Call(**call) for call in fields["calls"])})


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `calls` counts every answered call, `limited` every request that a limiter counts.

    The loop answered `loop_calls` in `seconds`, for which generator and server spent the processor seconds given.
    `answers` is a digest of the bodies of the answers, ids aside: equal where servers answer with the same bytes.
    """

    calls: int
    limited: int
    loop_calls: int
    seconds: float
    generator_seconds: float
    server_seconds: float
    answers: str = ""

    @property
    def calls_per_second(self) -> float:
        """Answered calls per second."""
        return self.loop_calls / self.seconds

    @property
    def generator_share(self) -> float:
        """The part of a processor that the generator used."""
        return self.generator_seconds / self.seconds

    @property
    def server_share(self) -> float:
        """The part of a processor that the server used, all its threads together."""
        return self.server_seconds / self.seconds

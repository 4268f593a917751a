"""What unit tests of the server stand on: clocks that a test moves, a loop that never waits, what was logged."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog
from hypothesis import settings

from server.telemetry.logging import Logger
from server.telemetry.metrics import Metrics

T = TypeVar("T")

# The same examples in every run: a failure here is a failure everywhere.
seeded = settings(max_examples=60, derandomize=True, database=None, deadline=None)


class FakeClock:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer as soon as nothing else can run: sleeping takes no time.

    Looking at the clock takes a nanosecond, so that a loop which waits for a rounding error to pass comes to its end.
    """

    def __init__(self) -> None:
        self._now = 1_000.0
        super().__init__()
        selector = self._selector  # type: ignore[attr-defined]
        select = selector.select

        def jump(timeout: float | None = None) -> Any:
            events = select(0)
            if not events and timeout is None:
                raise RuntimeError("everything waits and nothing will happen")
            if not events and timeout:
                self._now += timeout
            return events

        selector.select = jump

    def time(self) -> float:
        self._now += 1e-9
        return self._now


def in_virtual_time(scenario: Callable[[Callable[[], float]], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine, which is given the clock, without waiting for anything."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(scenario(runner.get_loop().time))


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one sample, 0 where it was never set."""
    return metrics.registry.get_sample_value(name, labels) or 0.0


class Recorded:
    """A logger and the events that went through it."""

    def __init__(self) -> None:
        self._capture = structlog.testing.LogCapture()
        self.logger: Logger = structlog.wrap_logger(
            None, processors=[self._capture], wrapper_class=structlog.make_filtering_bound_logger(0)
        )

    @property
    def entries(self) -> list[Mapping[str, Any]]:
        return list(self._capture.entries)

    @property
    def events(self) -> list[str]:
        return [str(entry["event"]) for entry in self.entries]

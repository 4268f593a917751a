"""How coroutines are measured: many in one run of the loop, so that starting the loop does not count."""

from collections.abc import Awaitable, Callable

CALLS = 100
"""How many calls a round of a coroutine's benchmark makes."""


def standing() -> float:
    """A monotonic clock that stands still."""
    return 1_000.0


async def many(call: Callable[[], Awaitable[object]], times: int = CALLS) -> None:
    """Make the call so many times, one after the other."""
    for _ in range(times):
        await call()

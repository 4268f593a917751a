"""A request that the server's limit refuses is sent again when the limit says so: it has told nothing yet."""

import time
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from harness.client import HttpStatusError, RpcError
from harness.errors import Inconclusive

TOO_MANY_REQUESTS = 429
PATIENCE_SECONDS = 60.0
"""How long one request waits in all."""


class Answer(Protocol):
    """An HTTP response."""

    @property
    def status(self) -> int | None:
        """Its status; None where none came."""


A = TypeVar("A", bound=Answer)
T = TypeVar("T")


def patiently(send: Callable[[], A]) -> A:
    """The first answer that is not the limit's. Raises Inconclusive where that takes too long, and what `send` does."""
    left = PATIENCE_SECONDS
    while (answer := send()).status == TOO_MANY_REQUESTS:
        left -= _wait(getattr(answer, "headers", {}), left)
    return answer


def when_let_in(ask: Callable[[], T]) -> T:
    """What a client's method comes to when the limit lets it through. Raises as `patiently` does."""
    left = PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except (RpcError, HttpStatusError) as error:
            if error.status != TOO_MANY_REQUESTS:
                raise
            left -= _wait(error.headers, left)


def asked_to_wait(headers: Mapping[str, str]) -> float:
    """The seconds that a refusal asks for; one where it does not say."""
    asked = headers.get("retry-after", "").strip()
    return max(float(asked), 0.1) if asked.isdigit() else 1.0


def _wait(headers: Mapping[str, str], left: float) -> float:
    """The seconds that the refusal asked for, when they are over."""
    seconds = asked_to_wait(headers)
    if seconds > left:
        raise Inconclusive(f"the server's limit refused it for {PATIENCE_SECONDS:.0f} s: ask when less is going on")
    time.sleep(seconds)
    return seconds

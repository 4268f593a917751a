from types import SimpleNamespace
from typing import Any

import pytest

from server.errors import RateLimitError
from server.orderdesk.gateway import Gateway

NOW = 1_000.0


def begin(needed: float, left: float) -> None:
    client: Any = SimpleNamespace(
        seconds_for=lambda upstream, requests: needed if (upstream, requests) == ("u", 3) else 0
    )
    nothing: Any = None
    call: Any = SimpleNamespace(deadline=NOW + left)
    store: Any = SimpleNamespace(upstream="u")
    Gateway(client, nothing, nothing, clock=lambda: NOW).refuse_when_hopeless(call, store, 3)


def test_a_write_that_would_outlast_its_deadline_is_refused_with_the_wait() -> None:
    with pytest.raises(RateLimitError) as refused:
        begin(needed=10.2, left=10)
    assert refused.value.details == {"retry_after_seconds": 11, "limit": "orderdesk"}


def test_a_write_that_can_be_finished_is_begun() -> None:
    begin(needed=10, left=10)

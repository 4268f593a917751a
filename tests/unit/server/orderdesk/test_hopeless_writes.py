from types import SimpleNamespace
from typing import Any

import pytest

from server.errors import RateLimitError, UpstreamUnavailableError
from server.orderdesk.gateway import Gateway

NOW = 1_000.0
ANSWER_SECONDS = 5.0


def begin(wait: float, left: float) -> None:
    client: Any = SimpleNamespace(
        seconds_for=lambda upstream, requests: wait if (upstream, requests) == ("u", 3) else 0,
        answer_seconds=ANSWER_SECONDS,
    )
    nothing: Any = None
    call: Any = SimpleNamespace(deadline=NOW + left)
    store: Any = SimpleNamespace(upstream="u")
    Gateway(client, nothing, nothing, clock=lambda: NOW).refuse_when_hopeless(call, store, 3)


def test_a_write_whose_tokens_would_come_too_late_is_refused_with_their_wait() -> None:
    with pytest.raises(RateLimitError) as refused:
        begin(wait=10.2, left=15)
    assert refused.value.details == {"retry_after_seconds": 11, "limit": "orderdesk"}


def test_a_write_that_can_be_finished_is_begun() -> None:
    begin(wait=10, left=15)


@pytest.mark.parametrize("wait", [0, 10])
@pytest.mark.parametrize("left", [ANSWER_SECONDS, -1])
def test_a_write_that_waited_for_its_turn_until_the_deadline_is_told_that(wait: float, left: float) -> None:
    with pytest.raises(UpstreamUnavailableError) as refused:
        begin(wait=wait, left=left)
    assert refused.value.details == {"reason": "deadline"}

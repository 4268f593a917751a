import pytest

from server.errors import UpstreamUnavailableError
from server.orderdesk.breaker import FAILURES, PROBE_SECONDS, Breaker, Passage
from server.orderdesk.upstreams import Upstreams
from tests.unit.server.parts import FakeClock


def send(breaker: Breaker) -> Passage:
    passage = breaker.enter()
    breaker.send(passage)
    return passage


def fail(breaker: Breaker, times: int = FAILURES) -> None:
    for _ in range(times):
        breaker.failed(send(breaker))


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock)


def refusal(breaker: Breaker) -> UpstreamUnavailableError:
    with pytest.raises(UpstreamUnavailableError) as refused:
        breaker.enter()
    return refused.value


def test_it_opens_after_so_many_failures_in_a_row_and_says_for_how_long(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES - 1)
    last = send(breaker)
    assert breaker.failed(last)
    assert refusal(breaker).details == {"reason": "circuit_open", "retry_after_seconds": PROBE_SECONDS}
    clock.advance(PROBE_SECONDS - 0.5)
    assert refusal(breaker).details["retry_after_seconds"] == 1


def test_an_answer_in_between_begins_the_count_anew(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, FAILURES - 1)
    assert not breaker.answered(send(breaker))
    clock.advance(1)
    fail(breaker, FAILURES - 1)
    assert not breaker.is_open


def test_calls_that_were_sent_before_an_answered_one_say_nothing_about_now(breaker: Breaker, clock: FakeClock) -> None:
    hanging = [send(breaker) for _ in range(FAILURES)]
    clock.advance(1)
    breaker.answered(send(breaker))
    clock.advance(29)
    assert not any(breaker.failed(passage) for passage in hanging)


def test_one_probe_is_let_through_and_its_answer_closes_the_breaker(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.advance(PROBE_SECONDS)
    probe = send(breaker)
    assert probe.probe
    refusal(breaker)
    clock.advance(1)
    assert breaker.answered(probe)
    assert not send(breaker).probe


def test_a_probe_that_fails_is_followed_by_the_next_one_after_a_while(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.advance(PROBE_SECONDS)
    assert not breaker.failed(send(breaker))
    clock.advance(PROBE_SECONDS - 0.1)
    refusal(breaker)
    clock.advance(0.2)
    assert send(breaker).probe


def test_a_probe_that_hangs_does_not_keep_the_next_one_back(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.advance(PROBE_SECONDS)
    hanging = send(breaker)
    clock.advance(PROBE_SECONDS)
    assert breaker.answered(send(breaker))
    clock.advance(20)
    assert not breaker.failed(hanging)


def test_a_probe_that_was_never_sent_makes_room_for_another(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.advance(PROBE_SECONDS)
    breaker.leave(breaker.enter())
    assert send(breaker).probe


def test_a_call_that_was_waiting_when_it_opened_is_not_sent(breaker: Breaker) -> None:
    waiting = breaker.enter()
    fail(breaker)
    with pytest.raises(UpstreamUnavailableError, match="nothing was changed"):
        breaker.send(waiting)
    assert waiting.sent is None


def test_accounts_are_apart_and_the_longest_unused_are_forgotten(clock: FakeClock) -> None:
    upstreams = Upstreams(limit=2, clock=clock)
    first, second = upstreams.of("1"), upstreams.of("2")
    fail(second.breaker)
    assert not first.breaker.is_open
    assert upstreams.open_breakers() == 1
    assert upstreams.of("1") is first
    upstreams.of("3")
    assert upstreams.of("1") is first
    assert upstreams.of("2") is not second
    assert upstreams.open_breakers() == 0

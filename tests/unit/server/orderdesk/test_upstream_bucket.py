import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.orderdesk.bucket import CAPACITY, REFILL_PER_SECOND, UpstreamBucket, UpstreamBusyError
from tests.unit.server.parts import in_virtual_time, seeded

Clock = Callable[[], float]
FOREVER = 1e6


async def empty(bucket: UpstreamBucket) -> None:
    for _ in range(int(CAPACITY)):
        await bucket.acquire(0)


@seeded
@given(starts=st.lists(st.floats(0, 30), min_size=1, max_size=120))
def test_no_window_ever_holds_more_than_orderdesk_allows_and_no_token_is_left_unused(starts: list[float]) -> None:
    async def scenario(clock: Clock) -> list[float]:
        bucket, sent, began = UpstreamBucket(clock), list[float](), clock()

        async def call(start: float) -> None:
            await asyncio.sleep(start)
            await bucket.acquire(FOREVER)
            sent.append(clock() - began)

        await asyncio.gather(*map(call, starts))
        return sent

    sent = in_virtual_time(scenario)
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            seconds = sent[last] - sent[first]
            assert last - first + 1 <= CAPACITY + seconds * REFILL_PER_SECOND + 1e-6
    assert sent == sorted(sent)
    # Whoever came first with tokens there did not wait.
    assert sent[0] == pytest.approx(min(starts), abs=1e-6)
    assert sent[-1] <= max(starts) + len(starts) / REFILL_PER_SECOND + 1e-3


def test_a_full_bucket_lets_twenty_pass_at_once_and_then_three_a_second() -> None:
    async def scenario(clock: Clock) -> list[float]:
        bucket, sent = UpstreamBucket(clock), list[float]()
        began = clock()
        for _ in range(26):
            await bucket.acquire(FOREVER)
            sent.append(round(clock() - began, 3))
        return sent

    assert in_virtual_time(scenario) == [0.0] * 20 + [0.333, 0.667, 1.0, 1.333, 1.667, 2.0]


def test_first_come_first_served() -> None:
    async def scenario(clock: Clock) -> list[int]:
        bucket, served = UpstreamBucket(clock), list[int]()
        await empty(bucket)

        async def call(number: int) -> None:
            await asyncio.sleep(number * 0.01)
            await bucket.acquire(FOREVER)
            served.append(number)

        await asyncio.gather(*(call(number) for number in reversed(range(15))))
        return served

    assert in_virtual_time(scenario) == list(range(15))


def test_a_hopeless_wait_is_refused_at_once_with_its_length() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        await empty(bucket)
        waiting = [asyncio.create_task(bucket.acquire(FOREVER)) for _ in range(5)]
        await asyncio.sleep(0)
        began = clock()
        with pytest.raises(UpstreamBusyError) as refused:
            await bucket.acquire(1.9)
        assert clock() - began < 0.001
        assert refused.value.seconds == pytest.approx(6 / REFILL_PER_SECOND)
        await bucket.acquire(2.1)
        assert clock() - began == pytest.approx(2.0)
        await asyncio.gather(*waiting)

    in_virtual_time(scenario)


def test_a_refused_call_spends_no_token() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        await empty(bucket)
        for _ in range(10):
            with pytest.raises(UpstreamBusyError):
                await bucket.acquire(0.1)
        began = clock()
        await bucket.acquire(FOREVER)
        assert clock() - began == pytest.approx(1 / REFILL_PER_SECOND)

    in_virtual_time(scenario)


def test_one_who_gives_up_takes_no_token_and_holds_nobody_up() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        await empty(bucket)
        first, second = (asyncio.create_task(bucket.acquire(FOREVER)) for _ in range(2))
        await asyncio.sleep(0.1)
        first.cancel()
        await second
        assert bucket._waiting == 0
        assert bucket._wait(1) == pytest.approx(1 / REFILL_PER_SECOND)

    in_virtual_time(scenario)


def test_what_orderdesk_says_is_left_counts_less_what_is_in_flight() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        first, second, third = [await bucket.acquire(0) for _ in range(3)]
        bucket.observe(first, 2)  # of which the other two take one each
        with pytest.raises(UpstreamBusyError):
            await bucket.acquire(0.3)
        bucket.finish(first)
        bucket.observe(third, 19)  # more than we thought: OrderDesk knows best
        bucket.finish(third)
        for _ in range(18):
            bucket.finish(await bucket.acquire(0))
        bucket.observe(second, 15)  # overtaken by the third: it may be outdated
        with pytest.raises(UpstreamBusyError):
            await bucket.acquire(0.3)

    in_virtual_time(scenario)


def test_a_count_in_whole_tokens_takes_no_fraction_away() -> None:
    async def scenario(clock: Clock) -> float:
        bucket = UpstreamBucket(clock)
        await empty(bucket)
        began = clock()
        for _ in range(30):
            ticket = await bucket.acquire(FOREVER)
            for earlier in range(ticket):
                bucket.finish(earlier)
            bucket.observe(ticket, 0)
            bucket.finish(ticket)
        return clock() - began

    assert in_virtual_time(scenario) == pytest.approx(30 / REFILL_PER_SECOND, rel=0.01)


def test_nothing_goes_out_while_orderdesk_has_closed() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        bucket.close_for(7)
        bucket.close_for(3)  # a shorter refusal does not shorten a longer one
        began = clock()
        with pytest.raises(UpstreamBusyError) as refused:
            await bucket.acquire(6.9)
        assert refused.value.seconds == pytest.approx(7)
        await asyncio.gather(*(bucket.acquire(FOREVER) for _ in range(3)))
        assert clock() - began == pytest.approx(7)

    in_virtual_time(scenario)


def test_a_refusal_reaches_those_who_wait_already() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        await empty(bucket)
        waiting = asyncio.create_task(bucket.acquire(FOREVER))
        began = clock()
        await asyncio.sleep(0.1)
        bucket.close_for(5)
        await waiting
        assert clock() - began == pytest.approx(5.1)

    in_virtual_time(scenario)


def test_requests_one_after_the_other_are_reckoned_beside_those_that_wait() -> None:
    async def scenario(clock: Clock) -> None:
        bucket = UpstreamBucket(clock)
        assert bucket.seconds_for(20) == 0.0
        await empty(bucket)
        assert bucket.seconds_for(3) == pytest.approx(3 / REFILL_PER_SECOND, rel=0.01)
        waiting = [asyncio.create_task(bucket.acquire(FOREVER)) for _ in range(4)]
        await asyncio.sleep(0)
        assert bucket.seconds_for(3) == pytest.approx(15 / REFILL_PER_SECOND, rel=0.01)
        await asyncio.gather(*waiting)

    in_virtual_time(scenario)

import asyncio
from collections.abc import Callable

import pytest

from server.orderdesk.places import EXTRA_SECONDS, PLACES, WAITING, NoPlaceError, Places
from tests.unit.server.parts import in_virtual_time

Clock = Callable[[], float]
FOREVER = 1e6


def nothing() -> None:
    """Nothing speaks against waiting on."""


class Callers:
    """Calls to one account: each holds its place until it is told to go, and notes when it got it."""

    def __init__(self, clock: Clock) -> None:
        self.places = Places(clock)
        self.began = clock()
        self.clock = clock
        self.got: list[tuple[int, float, bool]] = []

    async def hold(self, number: int, seconds: float, patience: float = FOREVER) -> None:
        async with self.places.held(patience, nothing) as extra:
            self.got.append((number, round(self.clock() - self.began, 2), extra))
            await asyncio.sleep(seconds)

    def start(self, numbers: range, seconds: float) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self.hold(number, seconds)) for number in numbers]


def test_so_many_are_in_flight_and_the_others_wait_their_turn() -> None:
    async def scenario(clock: Clock) -> list[tuple[int, float, bool]]:
        callers = Callers(clock)
        await asyncio.gather(*callers.start(range(PLACES + 3), 2))
        return callers.got

    assert in_virtual_time(scenario) == [
        *((number, 0.0, False) for number in range(PLACES)),
        *((number, 2.0, False) for number in range(PLACES, PLACES + 3)),
    ]


def test_while_all_hang_one_more_goes_now_and_then() -> None:
    async def scenario(clock: Clock) -> list[tuple[int, float, bool]]:
        callers = Callers(clock)
        await asyncio.gather(*callers.start(range(PLACES + 3), 12))
        return callers.got[PLACES:]

    assert in_virtual_time(scenario) == [
        (PLACES, EXTRA_SECONDS, True),
        (PLACES + 1, 2 * EXTRA_SECONDS, True),
        (PLACES + 2, 12.0, False),
    ]


def test_after_an_answer_to_the_extra_call_nobody_waits_for_what_still_hangs() -> None:
    async def scenario(clock: Clock) -> list[float]:
        callers = Callers(clock)
        hanging = callers.start(range(PLACES), 30)
        waiting = callers.start(range(PLACES, PLACES + 4), 1)
        await asyncio.sleep(EXTRA_SECONDS + 0.5)
        callers.places.forget()
        await asyncio.gather(*waiting)
        await asyncio.gather(*hanging)
        return [second for _, second, _ in callers.got[PLACES:]]

    assert in_virtual_time(scenario) == [EXTRA_SECONDS, *[EXTRA_SECONDS + 0.5] * 3]


def test_a_wait_ends_with_the_patience() -> None:
    async def scenario(clock: Clock) -> float:
        callers = Callers(clock)
        hanging = callers.start(range(PLACES), 30)
        await asyncio.sleep(0)
        with pytest.raises(NoPlaceError):
            await callers.hold(99, 1, patience=3)
        waited = clock() - callers.began
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        await callers.hold(100, 0)
        return waited

    assert in_virtual_time(scenario) == pytest.approx(3, abs=0.01)


def test_all_who_wait_are_told_at_once_when_waiting_has_become_useless() -> None:
    async def scenario(clock: Clock) -> float:
        callers, useless = Callers(clock), False

        def check() -> None:
            if useless:
                raise LookupError

        async def wait() -> None:
            async with callers.places.held(FOREVER, check):
                pytest.fail("it got a place")

        hanging = callers.start(range(PLACES), 4)
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(wait()) for _ in range(50)]
        await asyncio.sleep(1)
        useless = True
        callers.places.look()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(end, LookupError) for end in ends)
        told = clock() - callers.began
        await asyncio.gather(*hanging)
        return told

    assert in_virtual_time(scenario) == pytest.approx(1, abs=0.01)


def test_a_queue_that_nobody_could_sit_out_is_not_joined() -> None:
    async def scenario(clock: Clock) -> None:
        callers = Callers(clock)
        tasks = callers.start(range(PLACES + WAITING), 30)
        await asyncio.sleep(0)
        with pytest.raises(NoPlaceError):
            await callers.hold(-1, 0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await callers.hold(-2, 0)

    in_virtual_time(scenario)

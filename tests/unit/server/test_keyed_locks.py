import asyncio

import pytest

from server.locks import KeyedLocks
from tests.unit.server.parts import in_virtual_time


def test_one_at_a_time_per_key_in_the_order_asked_and_keys_do_not_wait_for_each_other() -> None:
    async def scenario(clock: object) -> list[str]:
        locks, done = KeyedLocks(), list[str]()

        async def work(key: str, name: str, seconds: float) -> None:
            async with locks.hold(key, 60):
                await asyncio.sleep(seconds)
                done.append(name)

        jobs = [("a", "a1", 3.0), ("a", "a2", 1.0), ("b", "b1", 2.0), ("a", "a3", 0.1)]
        await asyncio.gather(*(work(*job) for job in jobs))
        assert locks._locks == {}
        return done

    assert in_virtual_time(scenario) == ["b1", "a1", "a2", "a3"]


def test_whoever_waits_too_long_gets_a_timeout_and_leaves_nothing_behind() -> None:
    async def scenario(clock: object) -> None:
        locks = KeyedLocks()
        async with locks.hold("a", 1):
            with pytest.raises(TimeoutError):
                async with locks.hold("a", 0.5):
                    pytest.fail("the lock was held twice")
            with pytest.raises(TimeoutError):
                async with locks.hold("a", -1):
                    pytest.fail("the lock was held twice")
        async with locks.hold("a", 0.1):
            pass
        assert locks._locks == {}

    in_virtual_time(scenario)


def test_a_holder_that_fails_or_is_cancelled_lets_go() -> None:
    async def scenario(clock: object) -> None:
        locks = KeyedLocks()

        async def hold() -> None:
            async with locks.hold("a", 1):
                await asyncio.sleep(100)

        with pytest.raises(OSError, match="broken"):
            async with locks.hold("a", 1):
                raise OSError("broken")
        task = asyncio.create_task(hold())
        await asyncio.sleep(1)
        task.cancel()
        async with locks.hold("a", 1):
            pass
        assert locks._locks == {}

    in_virtual_time(scenario)

import asyncio

import pytest

from server.snapshots import Snapshots
from tests.unit.server.parts import FakeClock


class Source:
    """Counts its loads; each waits until the test lets it go, unless it is open."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.value = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self, key: str) -> str:
        self.loads.append(key)
        value = self.value
        await self.gate.wait()
        return f"{key}={value}"


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def snapshots(source: Source, clock: FakeClock) -> Snapshots[str, str]:
    return Snapshots(source.load, limit=3, clock=clock)


async def wait_for_loads(source: Source, count: int) -> None:
    async with asyncio.timeout(5):
        while len(source.loads) < count:  # noqa: ASYNC110 - what is on trial offers no event
            await asyncio.sleep(0)


async def test_a_value_is_trusted_for_a_second_from_the_start_of_its_load(
    snapshots: Snapshots[str, str], source: Source, clock: FakeClock
) -> None:
    source.gate.clear()
    first = asyncio.create_task(snapshots.get("a"))
    await wait_for_loads(source, 1)
    clock.advance(0.9)
    source.gate.set()
    assert await first == "a=0"
    source.value = 1
    assert await snapshots.get("a") == "a=0"
    clock.advance(0.1)
    assert await snapshots.get("a") == "a=1"
    assert source.loads == ["a", "a"]


async def test_many_who_ask_at_once_share_one_load(snapshots: Snapshots[str, str], source: Source) -> None:
    values = await asyncio.gather(*(snapshots.get("a") for _ in range(50)))
    assert set(values) == {"a=0"}
    assert source.loads == ["a"]


async def test_one_who_gives_up_does_not_take_the_load_from_the_others(
    snapshots: Snapshots[str, str], source: Source
) -> None:
    source.gate.clear()
    hasty = asyncio.create_task(snapshots.get("a"))
    await wait_for_loads(source, 1)
    patient = asyncio.create_task(snapshots.get("a"))
    await asyncio.sleep(0)
    hasty.cancel()
    source.gate.set()
    assert await patient == "a=0"
    with pytest.raises(asyncio.CancelledError):
        await hasty


async def test_a_load_under_way_when_the_key_is_forgotten_is_not_kept(
    snapshots: Snapshots[str, str], source: Source
) -> None:
    source.gate.clear()
    early = asyncio.create_task(snapshots.get("a"))
    await wait_for_loads(source, 1)
    source.value = 1
    snapshots.forget("a")
    late = asyncio.create_task(snapshots.get("a"))
    await wait_for_loads(source, 2)
    source.gate.set()
    assert await early == "a=0"
    assert await late == "a=1"
    assert await snapshots.get("a") == "a=1"
    assert len(source.loads) == 2


async def test_a_forgotten_key_is_loaded_anew_and_others_are_not(
    snapshots: Snapshots[str, str], source: Source
) -> None:
    await snapshots.get("a")
    await snapshots.get("b")
    snapshots.forget("a")
    await snapshots.get("a")
    await snapshots.get("b")
    assert source.loads == ["a", "b", "a"]


async def test_a_failed_load_reaches_all_who_wait_and_is_not_kept(clock: FakeClock) -> None:
    attempts = 0

    async def load(_key: str) -> str:
        nonlocal attempts
        attempts += 1
        await asyncio.sleep(0)
        if attempts == 1:
            raise OSError("broken")
        return "mended"

    snapshots = Snapshots(load, clock=clock)
    failures = await asyncio.gather(*(snapshots.get("a") for _ in range(3)), return_exceptions=True)
    assert [str(failure) for failure in failures] == ["broken"] * 3
    assert await snapshots.get("a") == "mended"
    assert attempts == 2


async def test_no_more_keys_are_held_than_allowed(snapshots: Snapshots[str, str], source: Source) -> None:
    for key in "abcd":
        await snapshots.get(key)
    source.loads.clear()
    for key in "dcb":
        await snapshots.get(key)
    assert source.loads == []
    await snapshots.get("a")
    assert source.loads == ["a"]

"""The read cache with 1,000 orders in it: a hit, and an order fetched again after a write touched it."""

import asyncio
import itertools
from typing import Any

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from server.cache import Cache, Key
from server.telemetry.metrics import Metrics
from tests.benchmarks.parts import many, standing

KEYS = tuple(Key("upstream", "t_1", "s_1", "orders", str(number)) for number in range(1_000))
TTL = 60.0


class Filled:
    """A cache that holds every key, and what is fetched for it."""

    def __init__(self, runner: asyncio.Runner, metrics: Metrics, value: bytes) -> None:
        self.cache = Cache(64 * 2**20, metrics, standing)
        self._value = value
        self._turns = itertools.cycle(KEYS)
        runner.run(many(self.read, len(KEYS)))

    async def fetch(self) -> bytes:
        return self._value

    async def read(self) -> tuple[bytes, bool]:
        return await self.cache.get(next(self._turns), TTL, self.fetch)

    async def touch_and_read(self) -> None:
        key = next(self._turns)
        self.cache.invalidate(key.upstream, key.resource_type, key.identity)
        await self.cache.get(key, TTL, self.fetch)


@pytest.fixture
def filled(runner: asyncio.Runner, metrics: Metrics, order: dict[str, Any]) -> Filled:
    return Filled(runner, metrics, orjson.dumps(order))


def test_hit(benchmark: BenchmarkFixture, runner: asyncio.Runner, filled: Filled) -> None:
    benchmark(lambda: runner.run(many(filled.read)))
    assert runner.run(filled.read())[1] is True


def test_fetch_after_invalidation(benchmark: BenchmarkFixture, runner: asyncio.Runner, filled: Filled) -> None:
    benchmark(lambda: runner.run(many(filled.touch_and_read)))

"""The tenants' token buckets: 1,000 tenants by turns, and one that has nothing left."""

import itertools

from pytest_benchmark.fixture import BenchmarkFixture

from server.limits import TenantLimiter
from server.telemetry.metrics import Metrics
from tests.benchmarks.parts import standing

TENANTS = tuple(f"t_{number:016x}" for number in range(1_000))


def test_take_a_token(benchmark: BenchmarkFixture, metrics: Metrics) -> None:
    limiter = TenantLimiter(10**12, metrics, clock=standing)
    turns = itertools.cycle(TENANTS)
    for tenant in TENANTS:
        limiter.take(tenant, 1)
    assert benchmark(lambda: limiter.take(next(turns), 1)) == 0


def test_refuse_a_call(benchmark: BenchmarkFixture, metrics: Metrics) -> None:
    limiter = TenantLimiter(1, metrics, clock=standing)
    while limiter.take(TENANTS[0], 1) == 0:
        pass
    assert benchmark(limiter.take, TENANTS[0], 1) > 0

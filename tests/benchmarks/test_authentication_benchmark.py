"""Who calls: a right key looked up and verified, and a wrong one refused."""

import asyncio

from pytest_benchmark.fixture import BenchmarkFixture

from server.brakes import Brakes
from server.storage.database import Database
from server.telemetry.metrics import Metrics
from server.tenancy.keys import TenantKey
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from tests.benchmarks.parts import many, standing


def test_authenticate_right_and_wrong_keys(
    benchmark: BenchmarkFixture, runner: asyncio.Runner, database: Database, vault: Vault, metrics: Metrics
) -> None:
    tenants = Tenants(database, vault, Brakes(database, cap=10, clock=standing), metrics, standing)
    caller, key = runner.run(tenants.create("benchmark"))
    right, wrong = str(key), str(TenantKey(key.id, TenantKey.generate().secret))
    assert runner.run(tenants.authenticate(right)) == caller
    assert runner.run(tenants.authenticate(wrong)) is None

    async def both() -> None:
        await tenants.authenticate(right)
        await tenants.authenticate(wrong)

    benchmark(lambda: runner.run(many(both)))

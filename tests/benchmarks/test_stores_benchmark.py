"""Finding a store among 10,000 (100 tenants with 100 each): as every call does, and read anew from the database."""

import asyncio

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import insert

from server.storage import tables
from server.storage.database import Database
from server.tenancy.stores import Stores
from server.tenancy.vault import Vault
from tests.benchmarks.parts import many, standing

TENANT = "t_50"
WANTED = "shop-99"


@pytest.fixture(scope="module")
def stores(database: Database, vault: Vault, runner: asyncio.Runner) -> Stores:
    async def seed() -> None:
        owners = [f"t_{number}" for number in range(100)]
        rows = [
            {
                "id": f"s_{owner}_{number}",
                "tenant_id": owner,
                "store_id": str(1_000 + number),
                "name": f"Shop {number}",
                "label": f"shop-{number}",
                "sealed_api_key": vault.seal(owner, f"stores/s_{owner}_{number}", b"k" * 40),
                "is_default": number == 0,
                "created_at": number,
            }
            for owner in owners
            for number in range(100)
        ]
        async with database.write() as connection:
            await connection.execute(
                insert(tables.tenants), [{"id": owner, "name": owner, "created_at": 0} for owner in owners]
            )
            await connection.execute(insert(tables.stores), rows)

    runner.run(seed())
    return Stores(database, vault, standing)


def test_resolve_among_10_000(benchmark: BenchmarkFixture, runner: asyncio.Runner, stores: Stores) -> None:
    benchmark(lambda: runner.run(many(lambda: stores.resolve(TENANT, WANTED))))
    assert runner.run(stores.resolve(TENANT, WANTED)).store_id == "1099"


def test_read_anew_among_10_000(benchmark: BenchmarkFixture, runner: asyncio.Runner, stores: Stores) -> None:
    async def anew() -> str:
        stores.forget(TENANT)
        return (await stores.resolve(TENANT, WANTED)).store_id

    assert benchmark(lambda: runner.run(anew())) == "1099"

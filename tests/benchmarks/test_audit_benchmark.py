"""The audit log: 500 calls recorded and committed, about what half a second of load leaves."""

import asyncio
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from structlog import get_logger

from server.audit import Audit, AuditRow
from server.storage.database import Database
from server.telemetry.metrics import Metrics

ROWS: tuple[AuditRow, ...] = tuple(
    (1_790_000_000_000 + at, "t_1", "k_1", f"{at:016x}", "orders_get", "100", "110000101", "success", None, 3)
    for at in range(500)
)


@pytest.fixture
def audit(database: Database, metrics: Metrics, runner: asyncio.Runner) -> Iterator[Audit]:
    async def make() -> Audit:
        return Audit(database, metrics, get_logger())

    audit = runner.run(make())
    yield audit
    assert runner.run(audit.stop(0)) == 0


def test_write_500_rows(benchmark: BenchmarkFixture, runner: asyncio.Runner, audit: Audit) -> None:
    async def write() -> None:
        for row in ROWS:
            audit.record(row)
        await audit.flush()

    benchmark(lambda: runner.run(write()))

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.brakes import Brakes
from server.storage.database import Database
from server.storage.migrate import upgrade
from server.telemetry.metrics import Metrics
from server.tenancy.tenants import Tenants
from server.tenancy.vault import Vault
from tests.unit.server.parts import FakeClock, Recorded

CAP = 10


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("0", "development")


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def vault() -> Vault:
    return Vault(os.urandom(32))


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "app.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database_file(migrated_file: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(migrated_file, tmp_path / "app.db"))


@pytest.fixture
async def database(database_file: Path, metrics: Metrics) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{database_file}", metrics)
    yield database
    await database.close()


@pytest.fixture
def brakes(database: Database, clock: FakeClock) -> Brakes:
    return Brakes(database, cap=CAP, clock=clock)


@pytest.fixture
def tenants(database: Database, vault: Vault, brakes: Brakes, metrics: Metrics, clock: FakeClock) -> Tenants:
    return Tenants(database, vault, brakes, metrics, clock)

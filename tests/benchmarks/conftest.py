"""What the benchmarks stand on: the server's real parts, on a database of their own; no network, clocks that stand.

A clock that stands keeps what refreshes itself every second out of the figures.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.sandbox.catalogue import Catalogue
from server.storage.database import Database
from server.storage.migrate import upgrade
from server.telemetry.metrics import Metrics
from server.tenancy.vault import Vault


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of a file's benchmarks."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def metrics() -> Metrics:
    return Metrics("0", "development")


@pytest.fixture(scope="module")
def vault() -> Vault:
    return Vault(os.urandom(32))


@pytest.fixture(scope="module")
def database(runner: asyncio.Runner, metrics: Metrics, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('benchmark') / Path('app.db')}"
    upgrade(url)
    database = Database(url, metrics)
    yield database
    runner.run(database.close())


@pytest.fixture(scope="session")
def order() -> dict[str, Any]:
    """An order of the sandbox's catalogue: the same in every run."""
    return Catalogue(seed=1, store=0, orders=200).order(100)

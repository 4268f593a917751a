import contextlib
import http.client
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from harness.client import Client
from harness.sandbox.faults import Fault
from harness.targets.server import run_server_command
from tests.integration.server.bench import ERAS, Bench, Shop, Upstream, settings_of, start_bench, start_upstream

StartBench = Callable[..., Bench]


@pytest.fixture(scope="session")
def _sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with start_upstream(tmp_path_factory.mktemp("sandbox")) as upstream:
        yield upstream


@pytest.fixture
def upstream(_sandbox: Upstream) -> Iterator[Upstream]:
    """The sandbox; whatever a test breaks there is mended when it ends."""
    yield _sandbox
    _sandbox.control.clear_faults()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that `python -m server migrate` made, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    path = folder / "data" / "app.db"
    environment = {**os.environ, "DATABASE_URL": f"sqlite:///{path}", "MASTER_KEY": "A" * 43}
    run_server_command("migrate", environment=environment, logs=folder)
    return path


@pytest.fixture(scope="session")
def _shared(_sandbox: Upstream, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("shared")
    database = Path(shutil.copy(migrated_database, folder / "app.db"))
    with start_bench(_sandbox, settings_of(_sandbox, database), folder) as bench:
        yield bench


@pytest.fixture
def bench(_shared: Bench, upstream: Upstream) -> Bench:
    """The server that most tests share, each with a tenant and a store of its own."""
    return _shared


@contextlib.contextmanager
def _starting(upstream: Upstream, migrated_database: Path, folder: Path) -> Iterator[StartBench]:
    numbers = itertools.count(1)
    with contextlib.ExitStack() as stack:

        def start_one(**settings: str) -> Bench:
            own = folder / f"bench-{next(numbers)}"
            own.mkdir()
            database = Path(shutil.copy(migrated_database, own / "app.db"))
            return stack.enter_context(start_bench(upstream, settings_of(upstream, database, **settings), own))

        yield start_one


@pytest.fixture
def start(upstream: Upstream, migrated_database: Path, tmp_path: Path) -> Iterator[StartBench]:
    """Start a server of the test's own, with settings of its own, before the shared sandbox."""
    with _starting(upstream, migrated_database, tmp_path) as start_one:
        yield start_one


@pytest.fixture(scope="module")
def start_once(
    _sandbox: Upstream, migrated_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartBench]:
    """As `start`, for a server that the tests of one file share."""
    with _starting(_sandbox, migrated_database, tmp_path_factory.mktemp("module")) as start_one:
        yield start_one


@pytest.fixture
def shop(bench: Bench) -> Shop:
    """A tenant of the shared server with a store of its own."""
    return bench.open_shop()


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """The newest revision of each protocol era."""
    return str(request.param)


@pytest.fixture
def client(bench: Bench, shop: Shop, era: str) -> Iterator[Client]:
    """A client of the shop, in each era."""
    with bench.connect(shop.tenant, era) as client:
        yield client


@pytest.fixture
def faults(bench: Bench) -> Callable[..., int]:
    """Let these faults happen at the sandbox; returns the journal's position from which to look."""

    def use(*faults: Fault) -> int:
        bench.upstream.control.set_faults(*faults)
        return bench.upstream.control.last_sequence()

    return use


@pytest.fixture
def post(bench: Bench, shop: Shop) -> Callable[..., httpx.Response]:
    """Post anything with the shop's key; None leaves a header out."""

    def send(body: Any, **headers: str | None) -> httpx.Response:
        usual = {"Content-Type": "application/json", "Authorization": f"Bearer {shop.tenant.key}"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        whole = {name: value for name, value in {**usual, **named}.items() if value is not None}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        address = urlsplit(bench.url)
        # The standard library sends white space around a value as it is, which httpx refuses to.
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=15)
        with contextlib.closing(connection):
            # What is refused by its length is answered before it was all sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", address.path, content, whole)
            answer = connection.getresponse()
            return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())

    return send

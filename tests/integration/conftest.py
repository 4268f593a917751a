"""The parts that integration tests share: a server of this checkout, its sandbox, a client. Ports are never fixed."""

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.client import Client
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, start_local
from tests.integration.parts import Checkout, StartTarget, start_unlimited


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """A copy of the repository in which nothing may be left running."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    copy = Checkout(folder)
    yield copy
    assert copy.left_running() == []


@pytest.fixture(scope="session")
def local_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """One server for all tests that change nothing which others see."""
    with start_unlimited(tmp_path_factory.mktemp("local-target")) as target:
        yield target


@pytest.fixture
def start_target(tmp_path: Path) -> Iterator[StartTarget]:
    """Start servers with settings of the test's own, each with its sandbox and database."""
    numbers = itertools.count(1)
    with contextlib.ExitStack() as stack:

        def start(*, settings: Mapping[str, str] | None = None, orders: int = 200, seed: int = 1) -> LocalTarget:
            logs = tmp_path / f"target-{next(numbers)}"
            target = start_local(logs=logs, environ=os.environ, settings=settings, orders=orders, seed=seed)
            return stack.enter_context(target)

        yield start


@pytest.fixture
def mcp_client(local_target: LocalTarget) -> Iterator[Callable[[str], Client]]:
    """Connect to the shared server as its tenant, in the revision given."""
    with contextlib.ExitStack() as stack:
        yield lambda version: stack.enter_context(local_target.connect(version))


@pytest.fixture
def sandbox(local_target: LocalTarget) -> Iterator[SandboxClient]:
    """The control path of the shared server's sandbox; its faults are cleared when the test ends."""
    with SandboxClient(local_target.sandbox.base_url) as client:
        yield client
        client.clear_faults()

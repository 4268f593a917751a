"""The parts that the clients share: their server, with every tool, and the installed npm packages."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.node import find_node
from harness.npm import install_packages
from harness.repository import REPOSITORY
from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, start_local

PIN = Path(__file__).with_name("node")
CACHE = REPOSITORY / ".cache" / "clients"
SETTINGS = {"RATE_LIMIT_RPM": "1000000", "TOOLSETS": "all"}


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTarget]:
    """A server that shows clients every tool it has; the sandbox's rate limit is off."""
    logs = tmp_path_factory.mktemp("clients-target")
    with start_local(logs=logs, environ=os.environ, settings=SETTINGS) as target:
        with SandboxClient(target.sandbox.base_url) as sandbox:
            sandbox.bucket(enabled=False)
        yield target


@pytest.fixture
def sandbox(target: LocalTarget) -> Iterator[SandboxClient]:
    """The control path of the clients' sandbox."""
    with SandboxClient(target.sandbox.base_url) as client:
        yield client


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node_modules of node/package-lock.json; the first run on a machine downloads them."""
    logs = tmp_path_factory.mktemp("npm")
    return install_packages(PIN, CACHE, node=find_node(), logs=logs, environ=os.environ) / "node_modules"

import os
import socket
from pathlib import Path
from typing import Any

import pytest

UNIT = Path(__file__).with_name("unit")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the long suites whole instead of a seeded tenth")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--full"):
        os.environ["QUARTERMASTER_FULL"] = "1"  # read where a suite sets its size, in child processes too


@pytest.fixture(autouse=True)
def _unit_tests_stay_off_the_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that reaches for the network is slow or in the wrong folder."""
    if not request.path.is_relative_to(UNIT):
        return
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            pytest.fail(f"a unit test connects to {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)

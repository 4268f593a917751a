import pytest

from tests.unit.harness.sandbox.desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()

from collections.abc import Iterator

import pytest

from tests.integration.harness.sandbox.sandbox_process import Sandbox, running_sandbox


@pytest.fixture(scope="module")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--orders", "60", "--stores", "2") as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """A running sandbox without faults or rate limit; its orders may have been changed by other tests."""
    shared_sandbox.control.clear_faults()
    shared_sandbox.control.bucket(enabled=False)
    shared_sandbox.control.clear_journal()
    return shared_sandbox

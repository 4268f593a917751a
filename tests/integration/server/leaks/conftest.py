import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.bench import Upstream
from tests.integration.server.leaks.watched import Watch, Watched, watching
from tests.integration.server.sentry_receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def watch(upstream: Upstream, migrated_database: Path, receiver: Receiver, tmp_path: Path) -> Iterator[Watch]:
    """Start a watched server, whole or broken, with settings of the test's own."""
    numbers = itertools.count(1)
    with contextlib.ExitStack() as stack:

        def start(module: str = "server", **settings: str) -> Watched:
            folder = tmp_path / f"watched-{next(numbers)}"
            folder.mkdir()
            return stack.enter_context(watching(upstream, receiver, migrated_database, folder, module, **settings))

        yield start

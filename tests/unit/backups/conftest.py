import shutil
from pathlib import Path

import pytest

from backups.snapshot import Snapshot, take_snapshot
from harness.collector import Run
from harness.progress import SilentProgress
from server.storage.migrate import upgrade
from tests.unit.backups.specimens import NOW, fill


@pytest.fixture(scope="session")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "app.db"
    upgrade(f"sqlite:///{path}")
    fill(path)
    return path


@pytest.fixture
def live(filled_file: Path, tmp_path: Path) -> Path:
    """A database of the test's own, with the server's schema and updates in it."""
    return Path(shutil.copy(filled_file, tmp_path / "app.db"))


@pytest.fixture
def snapshot(live: Path, tmp_path: Path) -> Snapshot:
    return take_snapshot(live, tmp_path / "snapshots", server_version="1.2.3", now=lambda: NOW)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run", SilentProgress())

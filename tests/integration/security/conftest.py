"""The parts that tests of scanners share: the locked environment, a small project to look at, and one scan of it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.repository import REPOSITORY
from harness.virtual_environment import prepare
from security.scan.run import Outcome, scan
from security.scan.scanner import Scanner, Scene

Scan = Callable[..., Outcome]


def trouble(outcome: Outcome) -> str:
    """What keeps the outcome from being a pass, whatever was found; empty where nothing does."""
    return str(outcome.error) if outcome.judgement is None else outcome.judgement.doubt


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scanners' executables are."""
    return prepare(REPOSITORY, "audit", logs=tmp_path_factory.mktemp("audit-environment"), environ=os.environ).parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository in which nobody finds anything."""
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "sums.py").write_text('"""Sums."""\n\n\ndef add(one, other):\n    return one + other\n')
    (folder / "settings.yaml").write_text("listen: 127.0.0.1\nworkers: 2\n")
    (folder / "README.md").write_text("# A project\n\nIt adds.\n")
    return folder


@pytest.fixture
def scan_project(project: Path, programs: Path, tmp_path: Path) -> Scan:
    """Scan the project as it stands with one scanner, or with executables that stand in for the real ones."""
    counts = iter(range(100))

    def run(
        scanner: Scanner,
        *,
        stand_in: Path | None = None,
        seconds: float = 120,
        folder: Path = project,
        files: Sequence[str] | None = None,
    ) -> Outcome:
        if files is None:
            files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        scratch = tmp_path / f"scratch-{next(counts)}"
        scene = Scene(folder, tuple(files), scratch, lambda _: stand_in or programs, os.environ)
        (outcome,) = scan([scanner], scene, seconds=seconds)
        return outcome

    return run


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str, str], Path]:
    """Make an executable of a shell script, in a folder that can stand for the scanners' own."""

    def make(name: str, script: str) -> Path:
        folder = tmp_path / "stand-ins" / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder

    return make

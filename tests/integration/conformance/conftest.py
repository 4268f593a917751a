"""A repository's settings of the tests' own, so that their reports and waivers are theirs too."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.conformance.job import run_conformance
from harness.record import RunRecord, parse_record
from harness.repository import REPOSITORY

RunJob = Callable[..., RunRecord]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A folder with an empty ops.toml and the repository's waivers."""
    (tmp_path / "ops.toml").write_text("")
    shutil.copy(REPOSITORY / "waivers.toml", tmp_path)
    return tmp_path


@pytest.fixture
def run_job(settings: Path) -> RunJob:
    """Run the job in those settings, and return its record, whose exit code is the job's."""

    def run(target: str = "local", environ: Mapping[str, str] = os.environ, **options: Any) -> RunRecord:
        code = run_conformance(repository=settings, environ=environ, target_name=target, as_json=True, **options)
        record = parse_record((settings / "reports/latest-conformance/record.json").read_bytes())
        assert code == record.exit_code
        return record

    return run


def raw_results(settings: Path, leg: str) -> dict[str, Any]:
    """What the suite wrote in a leg of the last run."""
    loaded: dict[str, Any] = json.loads((settings / f"reports/latest-conformance/{leg}.json").read_text())
    return loaded

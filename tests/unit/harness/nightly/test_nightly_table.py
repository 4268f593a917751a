"""The [nightly] table of ops.toml, read the way every command reads it."""

from pathlib import Path

import pytest

from harness.config import ConfigurationError, load
from harness.nightly import NightlyTable

JOB = '[[nightly.jobs]]\nname = "load"\ncommand = ["load", "--small"]\nbudget_seconds = 60\n'


def read(tmp_path: Path, text: str) -> NightlyTable:
    path = tmp_path / "ops.toml"
    path.write_text(text)
    return load(path, {"nightly": NightlyTable}).table("nightly", NightlyTable)


def test_jobs_are_read_in_order(tmp_path: Path) -> None:
    jobs = read(
        tmp_path, JOB + JOB.replace('"load",', '"audit",').replace('"load"', '"audit"') + "needs_outside = true"
    ).jobs
    assert [(job.name, job.needs_outside) for job in jobs] == [("load", False), ("audit", True)]
    assert jobs[0].command == ("load", "--small")


def test_no_table_is_no_jobs(tmp_path: Path) -> None:
    assert read(tmp_path, "").jobs == ()


@pytest.mark.parametrize(
    "text",
    [
        JOB + JOB,
        JOB + "budget_second = 1\n",
        JOB.replace("60", "0"),
        JOB.replace('["load", "--small"]', "[]"),
        JOB.replace('"load"\n', '"Load it"\n'),
        JOB.replace("budget_seconds = 60\n", ""),
    ],
)
def test_a_wrong_job_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="nightly"):
        read(tmp_path, text)

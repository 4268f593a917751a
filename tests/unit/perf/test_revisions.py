"""A revision's commit: what names none is wrong usage, and where git cannot tell nothing is known."""

import os
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.repository import REPOSITORY
from perf.errors import PerfError
from perf.revisions import find_commit


def test_what_names_no_commit_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="'nowhere' names no commit of this repository"):
        find_commit(REPOSITORY, "nowhere", environ=os.environ)


def test_without_a_repository_nothing_is_known_of_a_revision(tmp_path: Path) -> None:
    with pytest.raises(PerfError, match="not a git repository"):
        find_commit(tmp_path, "HEAD", environ=os.environ)


def test_without_git_nothing_is_known_of_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PerfError, match="git did not run"):
        find_commit(REPOSITORY, "HEAD", environ=os.environ)

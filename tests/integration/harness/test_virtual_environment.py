"""An environment of its own is made once for each lock, and never taken for made when its making was not finished."""

import os
from pathlib import Path

import pytest

from harness.virtual_environment import UnpreparedError, prepare

# Nothing here may ask a package index.
ENVIRON = {**os.environ, "PIP_NO_INDEX": "1"}


def write_lock(repository: Path, text: str) -> None:
    (repository / "requirements").mkdir(exist_ok=True)
    (repository / "requirements" / "peers.txt").write_text(text, encoding="utf-8")


def test_it_is_made_once_for_each_lock_and_a_failure_leaves_none_that_counts(tmp_path: Path) -> None:
    write_lock(tmp_path, "# nothing\n")
    python = prepare(tmp_path, "peers", logs=tmp_path / "logs", environ=ENVIRON)
    assert os.access(python, os.X_OK)
    mark = python.parent / "made-before"
    mark.touch()

    assert prepare(tmp_path, "peers", logs=tmp_path / "logs", environ=ENVIRON) == python
    assert mark.exists()

    write_lock(tmp_path, f"no-such-distribution==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UnpreparedError, match=r"the environment of peers\.txt cannot be made"):
        prepare(tmp_path, "peers", logs=tmp_path / "logs", environ=ENVIRON)
    assert not mark.exists()
    assert not (tmp_path / ".venv-peers" / "installed-lock").exists()


def test_without_its_lock_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(UnpreparedError, match=r"requirements/peers\.txt cannot be read"):
        prepare(tmp_path, "peers", logs=tmp_path / "logs", environ=ENVIRON)

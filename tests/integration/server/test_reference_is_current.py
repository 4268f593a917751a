import os
from pathlib import Path

import pytest

from harness.reference import PAGES, generate, write_reference
from harness.repository import REPOSITORY


@pytest.mark.parametrize("path", PAGES)
def test_a_committed_page_is_what_the_server_declares(path: str) -> None:
    file = REPOSITORY / path
    assert file.is_file(), "run ./inv docs"
    # Not compared by assert: a page of differences would hide what to do.
    if file.read_text(encoding="utf-8") != generate(path, os.environ):
        pytest.fail(f"{path} differs from what the server declares: run ./inv docs")


def test_a_page_that_was_changed_by_hand_is_written_anew(tmp_path: Path) -> None:
    assert write_reference(tmp_path, os.environ) == list(PAGES)
    page = tmp_path / "docs/ERRORS.md"
    right = page.read_text(encoding="utf-8")
    page.write_text(right.replace("NOT_FOUND", "LOST"), encoding="utf-8")
    assert write_reference(tmp_path, os.environ) == ["docs/ERRORS.md"]
    assert page.read_text(encoding="utf-8") == right


def test_no_setting_is_needed_and_none_is_shown(tmp_path: Path) -> None:
    environ = {**os.environ, "MASTER_KEY": "unfit", "PORT": "eighty", "DATABASE_URL": f"sqlite:///{tmp_path}/app.db"}
    page = generate("docs/ENVIRONMENTS.md", environ)
    assert str(tmp_path) not in page
    assert "eighty" not in page

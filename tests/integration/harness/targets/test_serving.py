"""A server that listens and is not ready: what is said of it."""

import os
import secrets
from pathlib import Path

import pytest

from harness.process import ProcessError
from harness.targets.server import NotReadyError, server_environment, serving

SILENT = "tests.integration.harness.targets.silent_server"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of a server whose database is not migrated."""
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path}/app.db", "MASTER_KEY": secrets.token_urlsafe(32)}
    return server_environment(settings, os.environ)


def test_one_that_says_why_it_is_not_ready_is_quoted(environment: dict[str, str], tmp_path: Path) -> None:
    with (
        pytest.raises(NotReadyError, match=r"^unready listens, but was not ready within 0\.5 s: HTTP 503 ") as raised,
        serving(environment=environment, logs=tmp_path, name="unready", ready_seconds=0.5),
    ):
        raise AssertionError
    assert raised.value.answer.startswith("HTTP 503 ")
    assert (tmp_path / "unready.stderr.log").stat().st_size


def test_one_that_answers_nothing_gives_no_reason(environment: dict[str, str], tmp_path: Path) -> None:
    with (
        pytest.raises(NotReadyError, match=r"^server listens, .*: /health/ready did not answer$") as raised,
        serving(environment=environment, logs=tmp_path, module=SILENT, ready_seconds=0.2),
    ):
        raise AssertionError
    assert raised.value.answer == ""


def test_one_that_ends_first_is_told_by_its_last_word(environment: dict[str, str], tmp_path: Path) -> None:
    with (
        pytest.raises(ProcessError, match=r"^server ended before it was ready .*PORT") as raised,
        serving(environment={**environment, "PORT": "eighty"}, logs=tmp_path),
    ):
        raise AssertionError
    assert not isinstance(raised.value, NotReadyError)
    assert raised.value.exit_code == 2

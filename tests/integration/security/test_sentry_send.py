"""`./inv sentry.test`: what the server sends is shown, and what became of it is the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config import ConfigurationError
from harness.errors import HarnessError, UsageError
from harness.repository import REPOSITORY
from security.sentry import send
from security.sentry.send import send_test
from tests.integration.server.sentry_receiver import receiving

ENVIRON = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize(("trouble", "code"), [("", 0), ("403", 1), ("refuses", 3)])
def test_the_exit_code_says_what_became_of_the_marked_error(
    trouble: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with receiving(trouble) as receiver:
        assert send_test(repository=REPOSITORY, environ={**ENVIRON, "SENTRY_DSN": receiver.dsn}) == code
    assert "MarkedError" in capfd.readouterr().out


def test_without_a_dsn_it_is_wrong_usage(capfd: pytest.CaptureFixture[str]) -> None:
    assert send_test(repository=REPOSITORY, environ=ENVIRON) == 2
    assert "SENTRY_DSN" in capfd.readouterr().err


def test_a_target_elsewhere_is_to_be_tested_there(tmp_path: Path) -> None:
    (tmp_path / "ops.toml").write_text('[targets.staging]\nurl = "https://mcp.example.com/mcp"\n')
    with pytest.raises(UsageError, match="run there: python -m server sentry-test"):
        send_test(repository=tmp_path, environ=ENVIRON, target="staging")
    with pytest.raises(ConfigurationError, match="did you mean staging"):
        send_test(repository=tmp_path, environ=ENVIRON, target="stagin")


def test_a_server_that_breaks_or_takes_too_long_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server").mkdir()
    program = tmp_path / "server" / "__main__.py"
    program.write_text("import os; os.abort()")
    assert send_test(repository=tmp_path, environ=ENVIRON) == 3
    monkeypatch.setattr(send, "SECONDS", 0.5)
    program.write_text("import time; time.sleep(30)")
    with pytest.raises(HarnessError, match="did not come to an end"):
        send_test(repository=tmp_path, environ=ENVIRON)


@pytest.mark.parametrize(("task", "said"), [("sentry.test", "SENTRY_DSN"), ("sentry.alerts", "sentry.organization")])
def test_the_tasks_end_with_wrong_usage_where_nothing_is_set_up(task: str, said: str) -> None:
    command = (sys.executable, "-m", "invoke", task)
    done = subprocess.run(command, env=ENVIRON, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert said in done.stderr

"""An operator at the command line of a running server's machine."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from harness.repository import REPOSITORY
from tests.integration.server.bench import Bench

SECONDS = 60.0


def start_command(environment: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """`python -m server ARGUMENTS`, started."""
    return subprocess.Popen(
        (sys.executable, "-m", "server", *arguments),
        env=dict(environment),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_command(bench: Bench, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """`python -m server ARGUMENTS`, run to its end with the server's own settings, or others."""
    with start_command({**bench.environment, **settings}, *arguments) as process:
        stdout, stderr = process.communicate(timeout=SECONDS)
    assert "Traceback" not in stderr, stderr
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def operate(bench: Bench, *arguments: str, **settings: str) -> dict[str, Any]:
    """The JSON that a command prints which must succeed."""
    done = run_command(bench, *arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


def wait_until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Return once something holds; fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)

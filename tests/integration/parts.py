"""What the fixtures of integration tests give: types, a server that tests share, a checkout that a test may spoil."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import psutil

from harness.sandbox.client import SandboxClient
from harness.targets import LocalTarget, start_local


class StartTarget(Protocol):
    """Starts a server of the test's own; it is stopped when the test ends."""

    def __call__(
        self, *, settings: Mapping[str, str] | None = None, orders: int = 200, seed: int = 1
    ) -> LocalTarget: ...


# A suite makes more calls than a tenant is worth: what tests of the limiter need, they set themselves.
SHARED_SETTINGS = {"RATE_LIMIT_RPM": "1000000"}


@contextlib.contextmanager
def start_unlimited(logs: Path) -> Iterator[LocalTarget]:
    """Yield a server that tests share; the sandbox's rate limit is off."""
    with start_local(logs=logs, environ=os.environ, settings=SHARED_SETTINGS) as target:
        with SandboxClient(target.sandbox.base_url) as sandbox:
            sandbox.bucket(enabled=False)
        yield target


REPOSITORY = Path(__file__).resolve().parents[2]
CHECKOUT = (
    "inv",
    "tasks.py",
    "ops.toml",
    "waivers.toml",
    "pyproject.toml",
    "requirements",
    "harness",
    "server",
    "security",
    "perf",
    "backups",
)


GUARD_SECONDS = 2.0
"""A guard acts at once when its starter is gone; within this it has done so on a machine that is busy with tests."""


class Checkout:
    """A copy of the repository, so that a test may spoil its files; `./inv` runs there in the same environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in CHECKOUT:
            source = REPOSITORY / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        (folder / ".venv").symlink_to(REPOSITORY / ".venv")

    def start(self, *arguments: str, environ: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start `./inv ARGUMENTS`, its outputs on pipes."""
        environment = {name: value for name, value in os.environ.items() if name != "QUARTERMASTER_INV"}
        return subprocess.Popen(
            ["./inv", *arguments],
            cwd=self.folder,
            env={**environment, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run `./inv ARGUMENTS` to its end."""
        with self.start(*arguments, environ=environ) as process:
            stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def running(self) -> list[str]:
        """The command line of every process that runs in the copy now."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == self.folder:
                    found.append(" ".join(process.cmdline()))
        return found

    def left_running(self) -> list[str]:
        """What is running still once a guard had its time: it, and who is ended by it, outlive their starter."""
        deadline = time.monotonic() + GUARD_SECONDS
        while (found := self.running()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

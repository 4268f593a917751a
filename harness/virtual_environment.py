"""Virtual environments of their own beside the checkout's, each kept in step with its lock under requirements/.

For what has pins of its own, and for what must find no more to import than its lock names.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import HarnessError
from harness.process import Command, ProcessError, child_environment, run

INSTALL_SECONDS = 600.0
# What pip needs of the operator's shell to find the package index.
PIP_PREFIXES = ("PIP_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")


class UnpreparedError(HarnessError):
    """An environment could not be made, and none is left behind that would count as made."""


def prepare(repository: Path, name: str, *, logs: Path, environ: Mapping[str, str]) -> Path:
    """Return the interpreter of .venv-NAME, made anew when requirements/NAME.txt has changed.

    Raises UnpreparedError.
    """
    environment, lock = repository / f".venv-{name}", repository / "requirements" / f"{name}.txt"
    python, stamp = environment / "bin" / "python", environment / "installed-lock"
    try:
        wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    except OSError as error:
        raise UnpreparedError(f"requirements/{lock.name} cannot be read: {error.strerror}") from error
    with _alone(repository / f".venv-{name}.lock"):
        if _read(stamp) == wanted and os.access(python, os.X_OK):
            return python
        shutil.rmtree(environment, ignore_errors=True)
        for_pip = {name: value for name, value in environ.items() if name.startswith(PIP_PREFIXES)}
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        steps = {
            f"{name}-venv": (sys.executable, "-m", "venv", str(environment)),
            f"{name}-install": (*pip, "--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(lock)),
        }
        for step, arguments in steps.items():
            try:
                run(
                    Command(step, arguments, child_environment(for_pip, environ), repository),
                    logs=logs,
                    seconds=INSTALL_SECONDS,
                )
            except ProcessError as error:
                raise UnpreparedError(f"the environment of {lock.name} cannot be made: {error}") from error
        # Written last: an environment whose making was interrupted is made again.
        stamp.write_text(wanted, encoding="ascii")
        return python


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield

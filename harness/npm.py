"""Pinned npm packages: installed once per lock into a cache folder, and never taken for installed when they are not."""

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import HarnessError
from harness.node import Node
from harness.process import Command, ProcessError, run

PIN_FILES = ("package.json", "package-lock.json")
OPTIONS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
INSTALL_SECONDS = 600.0


class NpmError(HarnessError):
    """The packages cannot be installed, or what is installed is not what is pinned."""


def install_packages(pin: Path, cache: Path, *, node: Node, logs: Path, environ: Mapping[str, str]) -> Path:
    """Return the folder whose node_modules is what `pin` locks, downloaded only when `cache` does not hold it.

    `pin` has a package.json of exact versions and its package-lock.json; `environ` is all of the operator's
    environment: proxies, certificates and the registry are settings of their npm. Raises NpmError in one line.
    """
    folder = cache / hashlib.sha256((pin / "package-lock.json").read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _alone(cache.with_name(f"{cache.name}.lock")):
                _install(folder, pin, Command("npm", node.npm("ci", *OPTIONS), environ, _partial(folder)), logs)
        except OSError as error:
            raise NpmError(f"{cache} cannot be written: {error.strerror}") from None
    for package, pinned in json.loads((pin / "package.json").read_text("utf-8"))["dependencies"].items():
        if (installed := _installed_version(folder, package)) != pinned:
            raise NpmError(f"{folder} holds {installed} instead of {package} {pinned}; remove that folder")
    return folder


def _partial(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")


def _install(folder: Path, pin: Path, command: Command, logs: Path) -> None:
    """Make `folder` under another name and rename it: what was interrupted is never taken for a whole one."""
    if folder.is_dir():  # another run was first
        return
    partial = _partial(folder)
    shutil.rmtree(partial, ignore_errors=True)  # what a killed run left
    partial.mkdir()
    try:
        for name in PIN_FILES:
            shutil.copyfile(pin / name, partial / name)
        run(command, logs=logs, seconds=INSTALL_SECONDS)
        partial.rename(folder)
    except ProcessError as error:
        raise NpmError(f"the packages of {pin.name} could not be installed: {_reason(error)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _reason(error: ProcessError) -> str:
    """The line of npm's that says what went wrong: it comes after codes, and before a stack."""
    told = (line.removeprefix("npm error ") for line in error.last_lines if line.startswith("npm error "))
    return next((line for line in told if line.partition(" ")[0] not in {"code", "errno", "syscall"}), str(error))


def _installed_version(folder: Path, package: str) -> str:
    try:
        text = (folder / "node_modules" / package / "package.json").read_text("utf-8")
        return str(json.loads(text)["version"])
    except (OSError, ValueError, KeyError):
        return "nothing that can be read"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w", encoding="ascii") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield

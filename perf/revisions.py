"""Revisions of the repository in folders of their own, each with the environment that its lock names."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from harness.process import child_environment
from harness.virtual_environment import prepare
from perf.blocks import SIDES, Side
from perf.errors import PerfError

LOCK = Path("requirements") / "development.txt"
GIT_SECONDS = 120.0


@dataclass(frozen=True)
class Checkout:
    """A revision's files, and the interpreter of its environment."""

    checkout: Path
    python: Path


@contextlib.contextmanager
def side_by_side(
    repository: Path,
    commits: Mapping[str, str],
    *,
    logs: Path,
    environ: Mapping[str, str],
    tell: Callable[[str], None],
) -> Iterator[dict[Side, Checkout]]:
    """Yield both commits checked out beside each other, each with its environment; gone afterwards.

    Raises PerfError when git cannot, UnpreparedError when an environment cannot be made.
    """
    with contextlib.ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quartermaster-revisions-")))
        found: dict[Side, Checkout] = {}
        for side in SIDES:
            tell(f"checking out {side}, with the environment of its lock")
            folder = temporary / side
            stack.enter_context(checked_out(repository, commits[side], folder, environ=environ))
            found[side] = Checkout(folder, interpreter(folder, repository, logs=logs / side, environ=environ))
        yield found


def find_commit(repository: Path, revision: str, *, environ: Mapping[str, str]) -> str:
    """Return the commit that a revision names.

    Raises UsageError when it names none, PerfError where git cannot tell: it is missing, or there is no repository.
    """
    _git(repository, "rev-parse", "--git-dir", environ=environ)
    asked = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    try:
        return _git(repository, *asked, environ=environ)
    except PerfError:
        raise UsageError(f"{revision!r} names no commit of this repository") from None


@contextlib.contextmanager
def checked_out(repository: Path, commit: str, folder: Path, *, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield `folder` with the commit checked out in it; gone afterwards. Raises PerfError when git cannot."""
    try:
        # Without hooks: they belong to the user's checkout.
        options = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach")
        _git(repository, *options, str(folder), commit, environ=environ)
        yield folder
    finally:
        with contextlib.suppress(PerfError):
            _git(repository, "worktree", "remove", "--force", "--force", str(folder), environ=environ)


def interpreter(tree: Path, repository: Path, *, logs: Path, environ: Mapping[str, str]) -> Path:
    """Return the interpreter for a tree: the present one where the tree's lock is this checkout's, else one made in it.

    Raises UnpreparedError.
    """
    lock = tree / LOCK
    if lock.is_file() and lock.read_bytes() == (repository / LOCK).read_bytes():
        return Path(sys.executable)
    return prepare(tree, LOCK.stem, logs=logs, environ=environ)


def _git(repository: Path, *arguments: str, environ: Mapping[str, str]) -> str:
    command = ["git", "-C", str(repository), *arguments]
    environment = child_environment({}, environ)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PerfError(f"git did not run: {error}") from error
    if done.returncode != 0:
        raise PerfError(f"git {arguments[0]} failed: {' '.join(done.stderr.split()) or 'without a word'}")
    return done.stdout.strip()

"""What a contributor and CI run on the repository itself: lint, tests, and new locks."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.edge import write_out
from harness.verdict import FAILED, INCONCLUSIVE, PASSED, USAGE

LINTERS: Final = (
    ("ruff check", ("-m", "ruff", "check", "--quiet", ".")),
    ("ruff format", ("-m", "ruff", "format", "--quiet", "--check", ".")),
    ("mypy --strict", ("-m", "mypy", "--no-error-summary")),
    ("import-linter", ("-c", "import sys; from importlinter.cli import lint_imports_command as run; sys.exit(run())")),
)
# pytest's exit codes: 5 is "no test was collected", which must never look like a success.
PYTEST_CODES: Final = {0: PASSED, 1: FAILED, 2: 130, 3: INCONCLUSIVE, 4: USAGE, 5: INCONCLUSIVE}
# Most of the time a test waits; more workers than this wait for each other.
WORKERS: Final = 4
COVERAGE: Final = ("--cov", "--cov-report=term")
LOCKS: Final = (
    ("server.txt", ("pyproject.toml", "--extra=server")),
    ("development.txt", ("pyproject.toml", "--extra=server", "--extra=ops", "--extra=dev")),
    ("peers.txt", ("requirements/peers.in",)),
    ("audit.txt", ("requirements/audit.in",)),
)


def lint(repository: Path) -> int:
    """Run every linter, whatever the ones before it found. Returns 0, or 1 when one of them found something."""
    found = []
    for name, command in LINTERS:
        write_out(sys.stderr, f"{name} ...\n")
        if subprocess.run([sys.executable, *command], cwd=repository, check=False).returncode != 0:
            found.append(name)
    write_out(sys.stdout, f"lint: {'found something: ' + ', '.join(found) if found else 'nothing found'}\n")
    return FAILED if found else PASSED


def test(repository: Path, paths: Sequence[str], *, full: bool, coverage: bool) -> int:
    """Run the tests under `paths`, or all, a file at a time on each core; `full` runs the long suites whole.

    `coverage` adds branch coverage, which takes half as long again.
    """
    command = [sys.executable, "-m", "pytest", "--numprocesses=logical", f"--maxprocesses={WORKERS}"]
    command += ["--dist=loadfile", *(["--full"] if full else []), *(COVERAGE if coverage else ()), *paths]
    code = subprocess.run(command, cwd=repository, check=False).returncode
    return PYTEST_CODES.get(code, INCONCLUSIVE)


def lock(repository: Path) -> int:
    """Resolve the newest allowed versions into requirements/, with hashes and without index addresses."""
    for name, sources in LOCKS:
        command = ["-m", "uv", "pip", "compile", *sources]
        command += ["--universal", "--python-version=3.11", "--generate-hashes", "--no-annotate", "--no-header"]
        command += ["--no-emit-index-url", "--quiet", "--upgrade", "-o", f"requirements/{name}"]
        if subprocess.run([sys.executable, *command], cwd=repository, check=False).returncode != 0:
            return INCONCLUSIVE
    return PASSED

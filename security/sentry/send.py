"""`./inv sentry.test`: the server itself sends a marked error, for only it knows what it would send."""

import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.config import LOCAL, find_target, load
from harness.errors import HarnessError, UsageError
from harness.verdict import INCONCLUSIVE

COMMAND: Final = ("-m", "server", "sentry-test")
SECONDS: Final = 60.0
CODES: Final = frozenset({0, 1, 2})


def send_test(*, repository: Path, environ: Mapping[str, str], target: str = LOCAL) -> int:
    """Return 0 where the error was accepted, 1 refused, 2 without SENTRY_DSN, 3 where that could not be told.

    What left is printed by the server. Raises UsageError for a target that is not this machine.
    """
    if target != LOCAL:
        find_target(load(repository / "ops.toml"), target)
        raise UsageError(
            f"target {target} has a DSN of its own, which is not known here; run there: python -m server sentry-test"
        )
    environment = dict(environ)
    if not environment.get("MASTER_KEY") and not environment.get("MASTER_KEY_FILE"):
        environment["MASTER_KEY"] = secrets.token_urlsafe(32)  # a pseudonym is made with it, and nothing else here
    try:
        code = subprocess.run(
            [sys.executable, *COMMAND], cwd=repository, env=environment, check=False, timeout=SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        raise HarnessError(f"the server did not come to an end within {SECONDS:g} s") from None
    return code if code in CODES else INCONCLUSIVE

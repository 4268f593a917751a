"""The command behind `./inv audit.pin`: a target's surface accepted as it is now."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from harness.config import load
from harness.edge import write_out
from harness.errors import HarnessError, Inconclusive
from harness.verdict import PASSED
from security.live import open_site, require_target
from security.lockfile import changes, lockfile, owners, read_lockfile, read_surface, write_lockfile


def pin_target(name: str, *, repository: Path, environ: Mapping[str, str], stdout: TextIO) -> int:
    """Write the target's lockfile, say what has changed in it, and return the exit code.

    Raises ConfigurationError for an unknown target, HarnessError where it does not answer or nothing can be written.
    """
    configuration = load(repository / "ops.toml")
    require_target(name, configuration, environ)
    path = lockfile(repository, name)
    with tempfile.TemporaryDirectory(prefix="quartermaster-pin-") as logs:
        site = open_site(name, configuration, repository=repository, logs=Path(logs), environ=environ)
        with site as opened, opened.connect() as client:
            offered = read_surface(client)
    try:
        differences = changes(read_lockfile(path), offered)
    except Inconclusive:
        differences = [(each, "is pinned") for each in owners(offered)]
    try:
        write_lockfile(path, offered)
    except OSError as error:
        raise HarnessError(f"{path} cannot be written: {error.strerror}") from error
    lines = [f"{each} {how}" for each, how in differences] or ["nothing changed"]
    write_out(stdout, "".join(f"{line}\n" for line in [*lines, f"Pinned in {path.relative_to(repository)}"]))
    return PASSED

"""The generated pages and templates of this checkout, written from what the server declares."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from harness.files import write_atomically
from harness.process import Command, child_environment, run
from harness.repository import REPOSITORY

SECONDS: Final = 60.0
PAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "docs/ENVIRONMENTS.md": ("environments",),
    "docs/TOOLS.md": ("tools",),
    "docs/ERRORS.md": ("errors",),
    "deploy/env/.env.development": ("env", "development"),
    "deploy/env/.env.staging": ("env", "staging"),
    "deploy/env/.env.production": ("env", "production"),
}


def generate(path: str, environ: Mapping[str, str]) -> str:
    """Return what the file at `path`, a key of PAGES, should hold. Raises ProcessError when the server cannot say."""
    arguments = (sys.executable, "-m", "server", "reference", *PAGES[path])
    command = Command("reference", arguments, child_environment({}, environ), REPOSITORY)
    with tempfile.TemporaryDirectory(prefix="quartermaster-") as logs:
        return run(command, logs=Path(logs), seconds=SECONDS)


def write_reference(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Write every page under `folder` and return the paths of those that changed. Raises ProcessError as `generate`."""
    changed = []
    for path in PAGES:
        content, file = generate(path, environ).encode(), folder / path
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, content)
            changed.append(path)
    return changed

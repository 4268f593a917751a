"""The foreign servers as processes, each in the environment that it is made for."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.process import Command, child_environment, running
from harness.repository import REPOSITORY
from harness.virtual_environment import prepare

READY_SECONDS = 60.0
KEYS = {"owner": "owner-5d1f0c8e7a2b4396", "other": "other-93b7e1d4c6a8025f"}
"""The keys that a server with authentication knows, by whose they are."""


@dataclass(frozen=True)
class Foreign:
    """A kind of foreign server, and how it is set up."""

    made_with: str
    keys: bool
    stateless: bool
    legacy: bool = False
    careless: bool = False
    alone: bool = False
    """Nobody gives a second tenant's key."""

    @property
    def name(self) -> str:
        """What tests and ops.toml call it."""
        keys = "with-keys" if self.keys else "without-keys"
        more = [word for word in ("legacy", "careless", "alone") if getattr(self, word)]
        return "-".join([self.made_with, "stateless" if self.stateless else "stateful", keys, *more])


@contextlib.contextmanager
def start_foreign(foreign: Foreign, *, logs: Path, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield the address of its endpoint; it and what it stored are gone afterwards."""
    own = foreign.made_with == "fastmcp"
    python = str(prepare(REPOSITORY, "peers", logs=logs, environ=environ)) if own else sys.executable
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
        options = ["--database", f"{folder}/notes.db", *(["--stateless"] if foreign.stateless else [])]
        options += ["--legacy"] if foreign.legacy else []
        options += ["--careless"] if foreign.careless else []
        options += [f"--token={owner}={key}" for owner, key in KEYS.items() if foreign.keys]
        module = f"tests.integration.security.foreign.{foreign.made_with}_server"
        command = Command(foreign.name, (python, "-m", module, *options), child_environment({}, environ), REPOSITORY)
        with running(command, logs=logs) as child:
            port = child.wait_for_event("foreign.listening", seconds=READY_SECONDS)["port"]
            yield f"http://127.0.0.1:{port}/mcp"

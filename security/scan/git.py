"""Asking git: of the repository that is given, whatever the machine's settings say, and in bounded time."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import Inconclusive
from harness.process import child_environment

SECONDS = 60
"""How long git may take: whatever a repository's files do, it answers in time or not at all."""


@dataclass(frozen=True)
class Git:
    """Git in one repository."""

    repository: Path
    environment: Mapping[str, str]

    def read(self, *arguments: str, given: str = "") -> bytes:
        """What it prints. Raises Inconclusive where it is missing, fails, or takes too long."""
        command = ["git", "-C", str(self.repository), *arguments]
        try:
            return subprocess.run(
                command,
                check=True,
                capture_output=True,
                input=given.encode(),
                env=dict(self.environment),
                timeout=SECONDS,
            ).stdout
        except FileNotFoundError as error:
            raise Inconclusive("git is not installed: neither files nor history can be read") from error
        except subprocess.TimeoutExpired as error:
            raise Inconclusive(f"git {arguments[0]} did not finish within {SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
            raise Inconclusive(f"git {arguments[0]} failed in {self.repository.name}: {said[-1]}") from error

    def __call__(self, *arguments: str, given: str = "") -> str:
        """The same as text, without white space at the end."""
        return self.read(*arguments, given=given).decode(errors="replace").strip()


def git_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a git that looks at the repository it is given, whatever GIT_DIR or configuration say."""
    return child_environment({"GIT_CONFIG_NOSYSTEM": "1", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}, environ)

"""py-spy: another process's Python stacks looked at from outside, so many times a second; nothing is judged here.

What counts as a sample is the stack of the thread that holds the interpreter. What waits in C (for a socket, a file, a
database) does not; py-spy cannot tell otherwise which threads are at work, and counted more idle ones than busy ones.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from harness.process import Command, ProcessError, child_environment, running
from harness.repository import REPOSITORY
from perf.errors import PerfError

Format = Literal["raw", "flamegraph"]
"""Collapsed stacks, a line each; or an SVG that a browser draws by itself."""
GRACE_SECONDS: Final = 60.0
TAKEN: Final = re.compile(r"Samples: (\d+) Errors: (\d+)")
DENIED: Final = ("Permission Denied", "Operation not permitted")
ADVICE: Final = (
    "this machine does not let py-spy look into another process: run as root, or with the capability SYS_PTRACE "
    "(containers: --cap-add SYS_PTRACE), or set the kernel's yama.ptrace_scope to 0"
)


@dataclass(frozen=True)
class Look:
    """Which process is looked into, how long, and how often a second."""

    pid: int
    seconds: int
    rate: int


@dataclass(frozen=True)
class Taken:
    """How often py-spy looked, and how often it did not see what was there."""

    looks: int
    errors: int


def find_py_spy() -> Path:
    """Where the py-spy of this environment is."""
    return Path(sys.executable).parent / "py-spy"


def require(program: Path) -> None:
    """Raise PerfError where py-spy is missing."""
    if not program.is_file():
        raise PerfError(
            f"py-spy is missing: {program.name} is not in {program.parent}; ./inv installs it with the ops extra"
        )


def record(program: Path, look: Look, output: Path, form: Format, *, logs: Path, environ: Mapping[str, str]) -> Taken:
    """Look into a process until the time is over, and write what was seen to `output`.

    Raises PerfError when py-spy is missing, may not look, or left nothing.
    """
    require(program)
    arguments = (
        str(program),
        "record",
        "--gil",
        *("--pid", str(look.pid), "--duration", str(look.seconds), "--rate", str(look.rate)),
        # A function's samples together, whatever line it was at.
        *("--format", form, "--function", "--output", str(output)),
    )
    command = Command(f"py-spy-{form}", arguments, child_environment({}, environ), REPOSITORY)
    with running(command, logs=logs) as child:
        code = child.wait(seconds=look.seconds + GRACE_SECONDS)
        said = child.stdout.read_text("utf-8", "replace") + child.stderr.read_text("utf-8", "replace")
        if code != 0:
            raise _failure(child.failure("did not come to its end"), said)
    taken = TAKEN.search(said)
    if taken is None or not output.is_file():
        raise PerfError(f"py-spy left nothing: {' '.join(said.split())[-200:] or 'it said nothing'}")
    return Taken(int(taken[1]), int(taken[2]))


def _failure(error: ProcessError, said: str) -> PerfError:
    """Why it failed, in a line. Its own last line is that of a backtrace."""
    if any(word in said for word in DENIED):
        return PerfError(ADVICE)
    first = next((line for line in said.splitlines() if line.startswith("Error: ")), str(error))
    return PerfError(f"py-spy: {first.removeprefix('Error: ')}")

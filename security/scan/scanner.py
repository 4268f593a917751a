"""What a scanner is: a program of a scanners' environment, what it is given, and how its output is judged.

A new scanner is one module with a class like those beside this one, and a line in `security.scan.catalogue`; a test of
the catalogue asks for its planted issue, and for every trouble that it must tell.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from harness.errors import HarnessError, Inconclusive
from security.findings import Found

T = TypeVar("T")
ENVIRONMENT = "audit"
"""Where most scanners live: .venv-audit, of requirements/audit.txt."""
MACHINE = ""
"""The environment of a program of the machine, whose whole path its task has for the executable."""


class NothingOfItsKindError(HarnessError):
    """What a scanner is for is not in the repository, and need not be: not applicable, which is no doubt."""


@dataclass(frozen=True)
class Scene:
    """What every scan is given: the repository and the files in it that count, a folder of its own, the programs.

    `programs` returns where the executables of the environment of a name are, making it where it must; it raises
    HarnessError.
    """

    repository: Path
    files: tuple[str, ...]
    """Paths from the repository, sorted."""
    scratch: Path
    programs: Callable[[str], Path]
    environ: Mapping[str, str]
    """The operator's environment; a scanner gets what it names of it."""

    def program(self, environment: str, name: str) -> Path:
        """The executable of this name in an environment. Raises HarnessError where it is not there."""
        program = Path(name) if environment == MACHINE else self.programs(environment) / name
        if not os.access(program, os.X_OK):
            folder = program.parent.parent.name
            raise Inconclusive(
                f"{name} is not installed in {folder}: remove {folder}, and it is made anew of "
                f"requirements/{environment}.txt"
            )
        return program


@dataclass(frozen=True)
class Output:
    """What a scanner's process left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The last line of its errors, cut; for a reason."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"


@dataclass(frozen=True)
class Judgement:
    """What an output comes to.

    `examined` are files or dependencies, what was planted not counted; `canary_seen` is whether that was found. A
    `doubt` says why that no more was found means nothing (a file that could not be read, old data): what was found
    counts all the same.
    """

    findings: tuple[Found, ...]
    examined: int
    canary_seen: bool
    evidence: tuple[str, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class Task:
    """A scan that can be started. `judge` raises Inconclusive where the output is no evidence.

    `executable` is what is run where that is not the scanner's own program: the interpreter of a module of ours, or
    the whole path of a program of the machine. `left_out` is evidence too: what of its kind it is not given, and why.
    """

    arguments: Sequence[str]
    directory: Path
    judge: Callable[[Output], Judgement]
    settings: Mapping[str, str] = field(default_factory=dict)
    executable: str = ""
    left_out: Sequence[str] = ()


class Scanner(Protocol):
    """One tool that looks at the repository."""

    @property
    def name(self) -> str:
        """What it looks at: the id of its check, and what --only takes."""

    @property
    def title(self) -> str:
        """What holds when it passes."""

    @property
    def program(self) -> str:
        """What answers: the executable that it needs, by name."""

    @property
    def environment(self) -> str:
        """The name of the environment that has it: requirements/NAME.txt locks it, .venv-NAME is made of that.

        MACHINE where it is the machine's own.
        """

    @property
    def categories(self) -> tuple[str, ...]:
        """The security categories that it covers, by their ids in `harness.categories`."""

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:
        """Plant the canary under `scene.scratch` and say what to run; whatever must run meanwhile goes on `stack`.

        Raises NothingOfItsKindError when the repository has no file of its kind, and need not have one; another
        HarnessError when there is nothing to examine, or what it needs is not there.
        """


class Reply(BaseModel):
    """Base of the schema of a scanner's output: what is judged must be there and of its type, the rest may come."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def parse(schema: type[T] | TypeAdapter[T], output: Output) -> T:
    """The output as its schema says. Raises Inconclusive with the place that is wrong and the scanner's last words."""
    try:
        adapter = schema if isinstance(schema, TypeAdapter) else TypeAdapter(schema)
        return adapter.validate_json(output.stdout)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        wrong = f"{place}: {first['msg']}" if place else "no JSON"
        raise Inconclusive(
            f"its output has not the form it must have ({wrong}; exit code {output.exit_code}): {output.last_words}"
        ) from None


def require_exit(output: Output, allowed: Sequence[int]) -> None:
    """Raise Inconclusive unless the exit code is one that the scanner documents."""
    if output.exit_code not in allowed:
        raise Inconclusive(f"it ended with exit code {output.exit_code}: {output.last_words}")

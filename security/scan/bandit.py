"""bandit: dangerous constructs in Python.

It exits 0 where a folder is missing or a file does not parse, and leaves out what its own defaults exclude: so every
file that it was given must be among its metrics, and its list of errors must be empty.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from pydantic import Field

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.findings import Found
from security.scan.kinds import is_below, tell_left_out
from security.scan.notebooks import read_notebook
from security.scan.python_files import is_notebook, is_python
from security.scan.scanner import ENVIRONMENT, Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = "import subprocess\n\n\ndef planted(words):\n    subprocess.call(words, shell=True)\n"
CANARY_RULE = "B602"
# What bandit says of these repeats the value that it takes for a secret.
SECRET_RULES = {
    "B105": "a string constant that looks like a secret",
    "B106": "an argument that looks like a secret",
    "B107": "a default that looks like a secret",
}
SEVERITIES = {"LOW": Severity.LOW, "MEDIUM": Severity.MEDIUM, "HIGH": Severity.HIGH, "UNDEFINED": Severity.HIGH}


class Weakness(Reply):
    """bandit's `issue_cwe`; empty for a rule without one."""

    id: int = 0


class Result(Reply):
    """One of bandit's results."""

    filename: str
    line_number: int
    test_id: str
    test_name: str
    issue_severity: str
    issue_text: str
    issue_cwe: Weakness
    more_info: str


class Trouble(Reply):
    """A file that bandit could not examine."""

    filename: str
    reason: str


class Metrics(Reply):
    """What bandit counted in one file, or in all."""

    loc: int


class Report(Reply):
    """bandit's JSON report."""

    errors: list[Trouble]
    metrics: dict[str, Metrics]
    results: list[Result]
    generated_at: str = Field(min_length=1)


@dataclass(frozen=True)
class Given:
    """What bandit is given: files by the names that it is told, and the lines that those of notebooks stand for."""

    paths: Mapping[str, str]
    lines: Mapping[str, Sequence[int]] = field(default_factory=dict)
    told: Sequence[str] = ()
    doubt: str = ""
    """Why one of them was not given."""

    def place(self, name: str, line: int) -> tuple[str, int]:
        """The path and the line that a line of a given file is of."""
        path = self.paths.get(name, name)
        return path, self.lines[name][line - 1] if name in self.lines else line


@dataclass(frozen=True)
class Bandit:
    """The scanner of Python code; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "code"
    title: str = "bandit finds nothing dangerous in the Python code"
    program: str = "bandit"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A04:2025", "A05:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone, so comments in the code switch nothing off."""
        found = [path for path in scene.files if is_notebook(path) or is_python(scene.repository, path)]
        kept = [path for path in found if not is_below(path, self.leave_out)]
        given = give(scene, kept)
        if not given.paths:
            raise Inconclusive(given.doubt or "there is no Python file to examine")
        canary = scene.scratch / "planted.py"
        canary.write_text(CANARY, encoding="utf-8")
        # Never a bare name: `-` would be standard input.
        names = [name if name in given.lines else f"./{name}" for name in given.paths]
        return Task(
            arguments=("--format=json", "--quiet", "--ignore-nosec", "--", *names, str(canary)),
            directory=scene.repository,
            judge=lambda output: judge(output, given, str(canary)),
            left_out=tell_left_out(found, self.leave_out),
        )


def give(scene: Scene, paths: Iterable[str]) -> Given:
    """The files as they stand, and of notebooks the cells, written below the scratch folder."""
    given: dict[str, str] = {}
    lines: dict[str, Sequence[int]] = {}
    foreign, doubts = 0, []
    for path in paths:
        if not is_notebook(path):
            given[path] = path
            continue
        try:
            module = read_notebook((scene.repository / path).read_text(encoding="utf-8"), path)
        except (OSError, UnicodeDecodeError):
            doubts.append(f"{path} could not be examined: it cannot be read")
        except Inconclusive as error:
            doubts.append(str(error))
        else:
            foreign += module.foreign
            if module.lines:
                copy = scene.scratch / "notebooks" / f"{path}.py"
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_text(module.code, encoding="utf-8", newline="")
                given[str(copy)], lines[str(copy)] = path, module.lines
    told = (f"not examined: {foreign} cells of notebooks in another language",) if foreign else ()
    return Given(given, lines, told, doubts[0] if doubts else "")


def judge(output: Output, given: Given, canary: str) -> Judgement:
    """What bandit's report on the `given` files comes to; a doubt where it did not examine all of them.

    Raises Inconclusive where it is no evidence at all.
    """
    require_exit(output, (0, 1))
    report = parse(Report, output)
    metrics = {_path(name): each for name, each in report.metrics.items()}
    doubt = given.doubt
    if report.errors:
        first = report.errors[0]
        others = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
        name = _path(first.filename)
        doubt = f"{given.paths.get(name, name)} could not be examined: {first.reason}{others}"
    elif missing := [path for name, path in given.paths.items() if name not in metrics]:
        doubt = f"{len(missing)} of {len(given.paths)} files were not examined, {missing[0]} among them"
    lines = sum(metrics[name].loc for name in given.paths if name in metrics)
    if lines == 0 and not doubt:
        raise Inconclusive(f"the {len(given.paths)} files hold no line of code")
    return Judgement(
        findings=tuple(_found(result, given) for result in report.results if result.filename != canary),
        examined=len(given.paths),
        canary_seen=any(each.filename == canary and each.test_id == CANARY_RULE for each in report.results),
        evidence=(f"{len(given.paths)} files with {lines} lines of code", *given.told),
        doubt=doubt,
    )


def _found(result: Result, given: Given) -> Found:
    message = SECRET_RULES.get(result.test_id, result.issue_text.rstrip("."))
    weakness = result.issue_cwe.id
    path, line = given.place(_path(result.filename), result.line_number)
    return Found(
        rule=result.test_id,
        rule_class="secret" if result.test_id in SECRET_RULES else f"bandit {result.test_id}",
        severity=SEVERITIES.get(result.issue_severity, Severity.HIGH),
        message=message,
        path=path,
        line=line,
        references=(*((f"CWE-{weakness}",) if weakness else ()), result.more_info),
    )


def _path(name: str) -> str:
    """The path from the repository: bandit puts a `./` before every name, also before one that has it."""
    return os.path.normpath(name)

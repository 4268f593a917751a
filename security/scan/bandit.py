"""bandit: dangerous constructs in Python.

It exits 0 where a folder is missing or a file does not parse, and leaves out what its own defaults exclude: so every
file that it was given must be among its metrics, and its list of errors must be empty.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.findings import Found
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
class Bandit:
    """The scanner of Python code; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "code"
    title: str = "bandit finds nothing dangerous in the code"
    program: str = "bandit"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A04:2025", "A05:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone, so comments in the code switch nothing off."""
        files = [path for path in scene.files if self._is_ours(scene.repository, path)]
        if not files:
            raise Inconclusive("there is no Python file to examine")
        canary = scene.scratch / "planted.py"
        canary.write_text(CANARY, encoding="utf-8")
        # Never a bare name: `-` would be standard input.
        names = [f"./{path}" for path in files]
        return Task(
            arguments=("--format=json", "--quiet", "--ignore-nosec", "--", *names, str(canary)),
            directory=scene.repository,
            judge=lambda output: judge(output, files, str(canary)),
        )

    def _is_ours(self, repository: Path, path: str) -> bool:
        if path.split("/", maxsplit=1)[0] in self.leave_out:
            return False
        return path.endswith(".py") or ("." not in path.rpartition("/")[2] and _is_script(repository / path))


def judge(output: Output, given: Sequence[str], canary: str) -> Judgement:
    """What bandit's report on the `given` files comes to; a doubt where it did not examine all of them.

    Raises Inconclusive where it is no evidence at all.
    """
    require_exit(output, (0, 1))
    report = parse(Report, output)
    metrics = {_path(name): each for name, each in report.metrics.items()}
    doubt = ""
    if report.errors:
        first = report.errors[0]
        others = f" (and {len(report.errors) - 1} more)" if len(report.errors) > 1 else ""
        doubt = f"{_path(first.filename)} could not be examined: {first.reason}{others}"
    elif missing := [path for path in given if path not in metrics]:
        doubt = f"{len(missing)} of {len(given)} files were not examined, {missing[0]} among them"
    lines = sum(metrics[path].loc for path in given if path in metrics)
    if lines == 0 and not doubt:
        raise Inconclusive(f"the {len(given)} files hold no line of code")
    return Judgement(
        findings=tuple(_found(result) for result in report.results if result.filename != canary),
        examined=len(given),
        canary_seen=any(each.filename == canary and each.test_id == CANARY_RULE for each in report.results),
        evidence=(f"{len(given)} files with {lines} lines of code",),
        doubt=doubt,
    )


def _found(result: Result) -> Found:
    message = SECRET_RULES.get(result.test_id, result.issue_text.rstrip("."))
    weakness = result.issue_cwe.id
    return Found(
        rule=result.test_id,
        rule_class="secret" if result.test_id in SECRET_RULES else f"bandit {result.test_id}",
        severity=SEVERITIES.get(result.issue_severity, Severity.HIGH),
        message=message,
        path=_path(result.filename),
        line=result.line_number,
        references=(*((f"CWE-{weakness}",) if weakness else ()), result.more_info),
    )


def _path(name: str) -> str:
    """The path from the repository: bandit puts a `./` before every name, also before one that has it."""
    return os.path.normpath(name)


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = file.readline(200)
    except OSError:
        return False
    return first.startswith(b"#!") and b"python" in first

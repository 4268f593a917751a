"""zizmor: what an outsider could make of the workflows and actions of GitHub.

Its SARIF mode exits 0 on errors, so it is asked for JSON. A file that it cannot parse it passes over with a warning, so
every file that it was given must be among those of which it says that it has completed them.
"""

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import Field, TypeAdapter

from harness.verdict import Severity
from security.findings import Found
from security.scan.kinds import WORKFLOWS, files_of
from security.scan.scanner import ENVIRONMENT, Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = """\
on: issues
jobs:
  planted:
    runs-on: planted
    steps:
      - run: echo "${{ github.event.issue.title }}"
"""
CANARY_RULE = "template-injection"
SEVERITIES = {
    "Informational": Severity.INFO,
    "Low": Severity.LOW,
    "Medium": Severity.MEDIUM,
    "High": Severity.HIGH,
}
_COMPLETED = re.compile(r" completed (.+)$", re.MULTILINE)
_WARNING = re.compile(r" WARN [^:]+: .*?: (.+)$", re.MULTILINE)


class Determinations(Reply):
    """How bad zizmor thinks that a finding is."""

    severity: str


class Local(Reply):
    """A file that was given by its path."""

    verbatim_path: str


class Key(Reply):
    """What was examined."""

    local: Local = Field(alias="Local")


class Symbolic(Reply):
    """A place by its meaning; the one of kind Primary is where the finding is told."""

    key: Key
    kind: str


class Point(Reply):
    """A place in a file, counted from 0."""

    row: int


class Span(Reply):
    """From where to where."""

    start_point: Point


class Concrete(Reply):
    """A place by its lines."""

    location: Span


class Location(Reply):
    """A place in both ways."""

    symbolic: Symbolic
    concrete: Concrete


class Result(Reply):
    """One of zizmor's findings."""

    ident: str
    desc: str
    url: str
    determinations: Determinations
    locations: list[Location] = Field(min_length=1)

    @property
    def place(self) -> Location:
        """Where it is told."""
        return next((each for each in self.locations if each.symbolic.kind == "Primary"), self.locations[0])

    @property
    def file(self) -> str:
        """The path as it was given."""
        return self.place.symbolic.key.local.verbatim_path


REPORT = TypeAdapter(list[Result])


@dataclass(frozen=True)
class Zizmor:
    """The scanner of workflows; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "workflows"
    title: str = "zizmor finds nothing dangerous in the workflows and actions of GitHub"
    program: str = "zizmor"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A03:2025", "A08:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone: no comment and no configuration counts."""
        given = files_of(WORKFLOWS, scene, self.leave_out)
        files = list(given.texts)
        canary = scene.scratch / ".github" / "workflows" / "planted.yml"
        canary.parent.mkdir(parents=True)
        canary.write_text(CANARY, encoding="utf-8")
        return Task(
            arguments=(
                *("--offline", "--no-config", "--no-ignores", "--no-progress", "--no-exit-codes", "--color", "never"),
                *("--format", "json-v1", "--", *(f"./{path}" for path in files), str(canary)),
            ),
            directory=scene.repository,
            judge=lambda output: judge(output, files, str(canary)),
            settings={"ZIZMOR_CACHE_DIR": str(scene.scratch / "cache")},
            left_out=given.left_out,
        )


def judge(output: Output, files: Sequence[str], canary: str) -> Judgement:
    """What zizmor's findings in the `files` come to; a doubt where it has not completed one of them."""
    require_exit(output, (0,))
    results = parse(REPORT, output)
    completed = {name.strip().removeprefix("./") for name in _COMPLETED.findall(output.stderr)}
    missed = [path for path in files if path not in completed]
    warned = _WARNING.search(output.stderr)
    why = f": {warned[1]}" if warned else ""
    return Judgement(
        findings=tuple(
            Found(
                rule=each.ident,
                rule_class=f"zizmor {each.ident}",
                severity=SEVERITIES.get(each.determinations.severity, Severity.HIGH),
                message=each.desc,
                path=each.file.removeprefix("./"),
                line=each.place.concrete.location.start_point.row + 1,
                references=(each.url,),
            )
            for each in results
            if each.file != canary
        ),
        examined=len(files) - len(missed),
        canary_seen=any(each.file == canary and each.ident == CANARY_RULE for each in results),
        evidence=(f"{len(files)} workflows and actions",),
        doubt=f"{len(missed)} of {len(files)} files were not examined, {missed[0]} among them{why}" if missed else "",
    )

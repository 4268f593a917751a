"""hadolint: what is dangerous or unpinned in a Dockerfile, and in the shell lines of it.

It does not say what it has read, and ends with exit code 1 for findings and for a crash alike. So each file is given
twice: as it is, and as a copy that ends with a stage of an unpinned image; where that is not found, the file was not
read to its end.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pydantic import TypeAdapter

from harness.verdict import Severity
from security.findings import Found
from security.scan.copies import plant_below
from security.scan.kinds import DOCKERFILES, files_of
from security.scan.scanner import ENVIRONMENT, Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = "FROM planted:latest AS planted\n"
CANARY_RULE = "DL3007"
UNPARSABLE = "DL1000"
SEVERITIES = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "info": Severity.LOW, "style": Severity.INFO}


class Result(Reply):
    """One of hadolint's results."""

    code: str
    file: str
    level: str
    line: int
    message: str


REPORT = TypeAdapter(list[Result])


@dataclass(frozen=True)
class Hadolint:
    """The scanner of Dockerfiles; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "dockerfiles"
    title: str = "hadolint finds nothing dangerous in the Dockerfiles"
    program: str = "hadolint"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A02:2025", "A03:2025")

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone: no comment and no configuration counts."""
        given = files_of(DOCKERFILES, scene, self.leave_out)
        planted = plant_below(scene.scratch, given.texts, CANARY)
        nothing = scene.scratch / "no-configuration.yaml"
        nothing.write_text("{}\n", encoding="utf-8")
        originals = {f"./{path}": path for path in given.texts}
        return Task(
            arguments=(
                *("--config", str(nothing), "--disable-ignore-pragma", "--no-color", "--no-fail", "--format", "json"),
                *("--", *originals, *(str(copy) for copy in planted)),
            ),
            directory=scene.repository,
            judge=lambda output: judge(output, originals, {str(copy): line for copy, line in planted.items()}),
            left_out=given.left_out,
        )


def judge(output: Output, originals: Mapping[str, str], planted: Mapping[str, int]) -> Judgement:
    """What hadolint's results on the files come to; a doubt where one does not parse or was not read to its end.

    `originals` is the path of each name given, `planted` the line of each copy on which the canary stands.
    """
    require_exit(output, (0,))
    results = parse(REPORT, output)
    seen = {each.file for each in results if each.code == CANARY_RULE and planted.get(each.file) == each.line}
    broken = [each for each in results if each.code == UNPARSABLE and each.file in originals]
    doubt = ""
    if broken:
        reason = " ".join(broken[0].message.split())
        doubt = f"{originals[broken[0].file]}:{broken[0].line} could not be examined: {reason}"
    elif missed := [path for path, copy in zip(originals.values(), planted, strict=True) if copy not in seen]:
        doubt = f"{len(missed)} of {len(planted)} files were not examined to their end, {missed[0]} among them"
    return Judgement(
        findings=tuple(
            Found(
                rule=each.code,
                rule_class=f"hadolint {each.code}",
                severity=SEVERITIES.get(each.level, Severity.HIGH),
                message=each.message,
                path=originals[each.file],
                line=each.line,
            )
            for each in results
            if each.file in originals and each.code != UNPARSABLE
        ),
        examined=len(seen),
        canary_seen=bool(seen),
        evidence=(f"{len(originals)} Dockerfiles",),
        doubt=doubt,
    )

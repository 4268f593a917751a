"""checkov: manifests of Kubernetes that give a container more than it needs.

Chosen because no other linter that knows what is dangerous (not only what is misspelt) is in the package index. What
it cannot parse it passes over without a word: so it is given copies, each with a privileged pod below its last line.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from harness.verdict import Severity
from security.findings import Found
from security.scan.copies import plant_below
from security.scan.kinds import MANIFESTS, files_of
from security.scan.scanner import Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = """\
---
apiVersion: v1
kind: Pod
metadata:
  name: planted
  namespace: planted
spec:
  containers:
    - name: planted
      image: planted
      securityContext:
        privileged: true
"""
CANARY_RULE = "CKV_K8S_16"
# Annotations and comments by which checkov would look away.
SILENCING = re.compile(r"checkov\.io/skip|checkov:skip|bridgecrew:skip")
# Without its vendor's service checkov knows no severities. What lets a container out onto its node, or a role do
# whatever it likes, is worst; what a container need not have comes next; the rest is about order and running.
ESCAPES = frozenset(f"CKV_K8S_{number}" for number in (16, 17, 18, 19, 20, 24, 25, 27, 34, 39, 49, 155, 156, 157, 158))
HARDENING = frozenset(
    f"CKV_K8S_{number}" for number in (22, 23, 26, 28, 29, 30, 31, 33, 35, 36, 37, 38, 41, 42, 152, 153, 154, 159)
)


class Result(Reply):
    """One of checkov's failed checks."""

    check_id: str
    check_name: str
    file_abs_path: str
    file_line_range: tuple[int, int]
    resource: str


class Results(Reply):
    """What checkov found."""

    failed_checks: list[Result]
    parsing_errors: list[str]


class Report(Reply):
    """checkov's JSON report."""

    check_type: str
    results: Results


class Nothing(Reply):
    """What checkov prints instead where it could read none of the files."""

    passed: Literal[0]
    failed: Literal[0]
    resource_count: Literal[0]


REPORT: TypeAdapter[Report | Nothing] = TypeAdapter(Report | Nothing)


@dataclass(frozen=True)
class Checkov:
    """The scanner of manifests; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "manifests"
    title: str = "checkov finds nothing dangerous in the manifests of Kubernetes"
    program: str = "checkov"
    environment: str = "audit-kubernetes"
    categories: tuple[str, ...] = ("A02:2025",)

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone: no annotation and no configuration counts."""
        given = files_of(MANIFESTS, scene, self.leave_out)
        heard = {_name(path): SILENCING.sub("planted", _as_yaml(path, text)) for path, text in given.texts.items()}
        planted = plant_below(scene.scratch, heard, CANARY)
        home = scene.scratch / "home"
        home.mkdir()
        copies = {str(copy): (path, line) for path, (copy, line) in zip(given.texts, planted.items(), strict=True)}
        return Task(
            arguments=(
                *("--skip-download", "--framework", "kubernetes", "--compact", "--output", "json"),
                *("--file", *copies),
            ),
            directory=home,
            judge=lambda output: judge(output, copies),
            # It would ask the package index for a later version of itself.
            settings={"HOME": str(home), "CKV_SKIP_PACKAGE_UPDATE_CHECK": "1"},
            left_out=given.left_out,
        )


def judge(output: Output, copies: Mapping[str, tuple[str, int]]) -> Judgement:
    """What checkov's results on the copies come to; a doubt where one was not read to its end.

    `copies` has the original's path and the line on which the canary begins.
    """
    require_exit(output, (0, 1))
    report = parse(REPORT, output)
    if isinstance(report, Nothing):
        return _examined_nothing([path for path, _ in copies.values()])
    results = report.results
    named = [each for each in results.failed_checks if each.file_abs_path in copies]
    seen = {
        each.file_abs_path
        for each in named
        if each.check_id == CANARY_RULE and each.file_line_range[0] > copies[each.file_abs_path][1]
    }
    missed = [path for copy, (path, _) in copies.items() if copy not in seen]
    return Judgement(
        findings=tuple(
            Found(
                rule=each.check_id,
                rule_class=f"checkov {each.check_id}",
                severity=_severity(each.check_id),
                message=f"{each.check_name} ({each.resource})",
                path=copies[each.file_abs_path][0],
                # A document in braces is told one line late: one of a single line where the canary's separator stands.
                line=min(each.file_line_range[0], copies[each.file_abs_path][1] - 1),
            )
            for each in named
            if each.file_line_range[0] <= copies[each.file_abs_path][1]
        ),
        examined=len(seen),
        canary_seen=bool(seen),
        evidence=(f"{len(copies)} manifests",),
        doubt=_doubt(missed, len(copies)) if missed else "",
    )


def _examined_nothing(paths: Sequence[str]) -> Judgement:
    evidence = (f"{len(paths)} manifests",)
    return Judgement((), examined=0, canary_seen=False, evidence=evidence, doubt=_doubt(paths, len(paths)))


def _doubt(missed: Sequence[str], count: int) -> str:
    return (
        f"{len(missed)} of {count} files were not examined to their end, {missed[0]} among them: of a template, what "
        "it renders can be"
    )


def _name(path: str) -> str:
    """The name of a copy, by whose ending checkov takes it for YAML."""
    return path if path.endswith((".yaml", ".yml")) else f"{path}.planted.yaml"


def _as_yaml(path: str, text: str) -> str:
    """JSON is YAML, save that it may be indented by tabs, which no string of it holds. Lines stay where they are."""
    return text.replace("\t", " ") if path.lower().endswith(".json") else text


def _severity(rule: str) -> Severity:
    if rule in ESCAPES:
        return Severity.HIGH
    return Severity.MEDIUM if rule in HARDENING else Severity.LOW

"""ansible-lint: what is dangerous in playbooks and roles.

It writes into the project that it looks at, and takes exceptions from comments: so it is given copies, in which those
words mean nothing. What it cannot load it reports as an issue among others; here that is a doubt.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.findings import Found
from security.scan.kinds import PLAYBOOKS, files_of
from security.scan.scanner import Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = """\
- name: Planted
  hosts: planted
  tasks:
    - name: Planted
      ansible.builtin.shell: cat planted | sh
"""
CANARY_NAME = "playbooks/planted.yml"
CANARY_RULE = "risky-shell-pipe"
# Off in its own defaults: a password in the log of every run.
CONFIGURATION = "enable_list: [no-log-password]\n"
UNEXAMINED = ("load-failure", "syntax-check", "parser-error", "internal-error", "schema-load")
# The others are about style, which is no matter of security.
DANGEROUS = ("no-log-password", "risky-file-permissions", "risky-octal", "risky-shell-pipe", "partial-become")
SILENCING = re.compile(r"noqa|skip_ansible_lint")
_PROCESSED = re.compile(r"in (\d+) files processed of (\d+) encountered")


class Begin(Reply):
    """A line and a column."""

    line: int


class Lines(Reply):
    """Where it begins, by its line."""

    begin: int


class Positions(Reply):
    """Where it begins, by line and column."""

    begin: Begin


class Location(Reply):
    """A place, in one of the two ways of Code Climate."""

    path: str
    lines: Lines | None = None
    positions: Positions | None = None

    @property
    def line(self) -> int:
        """The line, 0 where there is none."""
        if self.positions:
            return self.positions.begin.line
        return self.lines.begin if self.lines else 0


class Result(Reply):
    """One of ansible-lint's issues."""

    check_name: str
    description: str
    url: str = ""
    location: Location

    @property
    def rule(self) -> str:
        """The rule without its variant."""
        return self.check_name.partition("[")[0]


ISSUES = TypeAdapter(list[Result])


@dataclass(frozen=True)
class AnsibleLint:
    """The scanner of playbooks; paths below `leave_out` are not its business."""

    leave_out: Sequence[str] = ()
    name: str = "playbooks"
    title: str = "ansible-lint finds nothing dangerous in the playbooks and roles"
    program: str = "ansible-lint"
    environment: str = "audit-ansible"
    categories: tuple[str, ...] = ("A02:2025",)

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. Exceptions stand in waivers.toml alone: no comment and no configuration counts."""
        given = files_of(PLAYBOOKS, scene, self.leave_out)
        project = scene.scratch / "project"
        copies = _copy(scene, given.texts, project)
        configuration, ignored = scene.scratch / "configuration.yml", scene.scratch / "ignored.txt"
        configuration.write_text(CONFIGURATION, encoding="utf-8")
        ignored.write_text("", encoding="utf-8")
        home = scene.scratch / "home"
        home.mkdir()
        programs = scene.programs(self.environment)
        return Task(
            arguments=(
                *("--offline", "--nocolor", "--format", "json", "--config-file", str(configuration)),
                *("--ignore-file", str(ignored), "--project-dir", str(project)),
                *("--", *copies, CANARY_NAME),
            ),
            directory=project,
            judge=lambda output: judge(output, copies),
            # It calls ansible-playbook by its name.
            settings={
                "HOME": str(home),
                "ANSIBLE_HOME": str(home / "ansible"),
                "PATH": f"{programs}:{scene.environ.get('PATH', '')}",
            },
            left_out=given.left_out,
        )


def judge(output: Output, copies: Mapping[str, str]) -> Judgement:
    """What ansible-lint's issues in the `copies` come to, by whose names it has the originals' paths.

    A doubt where one could not be loaded.
    """
    require_exit(output, (0, 2))
    results = parse(ISSUES, output)
    counted = _PROCESSED.search(output.stderr)
    if not counted:
        raise Inconclusive(f"it does not say how many files it has processed: {output.last_words}")
    processed, encountered = int(counted[1]), int(counted[2])
    doubt = ""
    if broken := [each for each in results if each.rule in UNEXAMINED]:
        place = f"{copies.get(broken[0].location.path, broken[0].location.path)}:{broken[0].location.line}"
        doubt = f"{place} could not be examined: {broken[0].description.rstrip('.')}"
    elif processed < encountered or processed < len(copies) + 1:
        doubt = f"{processed} of {max(encountered, len(copies) + 1)} files were examined"
    return Judgement(
        findings=tuple(
            Found(
                rule=each.check_name,
                rule_class=f"ansible-lint {each.check_name}",
                severity=Severity.MEDIUM if each.rule in DANGEROUS else Severity.LOW,
                message=each.description.rstrip("."),
                path=copies.get(each.location.path, each.location.path),
                line=each.location.line,
                references=(each.url,) if each.url else (),
            )
            for each in results
            if each.location.path != CANARY_NAME and each.rule not in UNEXAMINED
        ),
        examined=len(copies),
        canary_seen=any(each.location.path == CANARY_NAME and each.rule == CANARY_RULE for each in results),
        evidence=(f"{len(copies)} files of playbooks and roles",),
        doubt=doubt,
    )


def _copy(scene: Scene, texts: Mapping[str, str], project: Path) -> dict[str, str]:
    """All of the repository's files, because playbooks name others; those examined without what silences.

    Returns the paths of these by the names of their copies, whose endings are such as ansible-lint knows them by.
    """
    copies = {}
    for path in scene.files:
        name = path
        if path in texts:
            stem, dot, ending = path.rpartition(".")
            name = f"{stem}{dot}{ending.lower()}"
            copies[name] = path
        copy = project / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            content = (scene.repository / path).read_bytes()
        except OSError as error:
            raise Inconclusive(f"{path} cannot be read: {error.strerror}") from error
        copy.write_bytes(SILENCING.sub("planted", texts[path]).encode() if path in texts else content)
    planted = project / CANARY_NAME
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(CANARY, encoding="utf-8")
    return copies

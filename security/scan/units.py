"""systemd-analyze: service units that leave their processes more of the machine than they need.

It rates unit files as systemd itself reads them, without a running systemd. Asked for JSON it leaves the rating of the
whole unit out, so its table is read. What it cannot load it only names among its errors, and goes on.
"""

import re
import shutil
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.findings import Found
from security.scan.kinds import SERVICES, files_of
from security.scan.scanner import MACHINE, Judgement, NothingOfItsKindError, Output, Scene, Task, require_exit
from security.scan.unit_files import Unit, gather, write_unit

BARE = Unit("planted/bare", "[Service]\nExecStart=/planted\n", {})
HARDENED = Unit(
    "planted/hardened",
    """\
[Service]
ExecStart=/planted
DynamicUser=yes
CapabilityBoundingSet=
DevicePolicy=closed
IPAddressDeny=any
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateNetwork=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=none
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
UMask=0077
""",
    {},
)
PLANTED = (BARE, HARDENED)
HARDENED_AT_MOST = 1.0
"""What the hardened unit is rated at most; systemd 250, whose ratings of system calls are inverted, says more."""
EXPOSED = 7.5
"""From here on systemd itself calls a unit exposed."""
WORST = 5
"""How many directives a message names."""
OPEN = 0.2
"""From which part of the rating on a directive is evidence."""
_NAME = r"unit(\d+)(?:@[^.\s]*)?\.service"
_TOTAL = re.compile(rf"\W*Overall exposure level for {_NAME}: (\d+\.\d)\b.*")
_ROW = re.compile(r"\S\s+([A-Za-z]+=)\S*\s{2,}.*\s(\d+\.\d)\s*")


@dataclass(frozen=True)
class Rating:
    """What a unit was rated: as a whole from 0 to 10, and about how much of that is each directive's, worst first.

    A directive's part is the sum of its rows (one for each capability, group of system calls…), each rounded up.
    """

    exposure: float
    parts: Mapping[str, float]


@dataclass(frozen=True)
class Given:
    """What systemd-analyze was given: units by the number in their copy's name, and the originals of all copies."""

    units: Mapping[int, Unit]
    copies: Mapping[Path, str]
    unfit: Mapping[str, str] = field(default_factory=dict)
    """Why a unit was not given, by its path."""
    alone: Sequence[str] = ()
    """Drop-ins of units that are not here."""


@dataclass(frozen=True)
class Units:
    """The scanner of service units; paths below `leave_out` are not its business.

    `limit` is the exposure that a unit may have, between that of the planted ones.
    """

    limit: float
    leave_out: Sequence[str] = ()
    name: str = "units"
    title: str = "systemd-analyze rates no service unit as more exposed than is allowed"
    program: str = "systemd-analyze"
    environment: str = MACHINE
    categories: tuple[str, ...] = ("A02:2025",)

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:  # noqa: ARG002 -- nothing must run meanwhile
        """See `Scanner`. The machine's own units and drop-ins do not count."""
        found = files_of(SERVICES, scene, self.leave_out)
        units, alone = gather(found.texts)
        if not units:
            raise NothingOfItsKindError(f"there are drop-ins in the repository, and no {SERVICES.noun}")
        program = shutil.which(self.program, path=scene.environ.get("PATH", ""))
        if not program:
            raise Inconclusive(f"{self.program} is not installed: install the package systemd")
        copies: dict[Path, str] = {}
        files = []
        unfit = {}
        numbered = dict(enumerate((*PLANTED, *units)))
        for number, unit in numbered.items():
            try:
                written = write_unit(scene.scratch, number, unit)
            except Inconclusive as error:
                unfit[unit.path] = str(error)
            else:
                copies |= written
                files.append(str(next(iter(written))))
        given = Given(numbered, copies, unfit, alone)
        return Task(
            arguments=("security", "--offline=true", "--no-pager", *files),
            directory=scene.scratch,
            judge=lambda output: judge(output, given, self.limit),
            # Empty, not unset: the machine's own units are not looked through.
            settings={"SYSTEMD_UNIT_PATH": "", "SYSTEMD_COLORS": "0", "SYSTEMD_EMOJI": "0", "LC_ALL": "C.UTF-8"},
            executable=program,
            left_out=found.left_out,
        )


def judge(output: Output, given: Given, limit: float) -> Judgement:
    """What the ratings come to; a doubt where a unit was not rated. Raises Inconclusive where there is no rating."""
    require_exit(output, (0, 1))
    ratings = read(output, given.units)
    bare, hardened = (ratings.pop(number, None) for number in range(len(PLANTED)))
    said = _said(output, given)
    asked = list(given.units.items())[len(PLANTED) :]
    rated = [(unit, ratings[number]) for number, unit in asked if number in ratings]
    missed = {
        unit.path: given.unfit.get(unit.path) or "; ".join(line for line in said if unit.path in line)[:300]
        for number, unit in asked
        if number not in ratings
    }
    evidence = [f"{len(asked)} units, each of which systemd may rate {limit} at most"]
    evidence += [_describe(unit, rating) for unit, rating in rated]
    evidence += [line for line in said if not any(path in line for path in missed)]
    evidence += [f"{path} was not examined: its unit is not beside it" for path in given.alone]
    return Judgement(
        findings=tuple(_found(unit, rating, limit) for unit, rating in rated if rating.exposure > limit),
        examined=len(rated),
        canary_seen=bare is not None
        and bare.exposure > limit
        and bool(bare.parts)
        and hardened is not None
        and hardened.exposure <= min(limit, HARDENED_AT_MOST),
        evidence=tuple(evidence),
        doubt="".join(
            f"{len(missed)} of {len(asked)} units were not examined, {path} among them: {why or output.last_words}"
            for path, why in list(missed.items())[:1]
        ),
    )


def read(output: Output, units: Container[int]) -> dict[int, Rating]:
    """The ratings by the numbers of units. Raises Inconclusive where there is none, or one that was not asked for."""
    ratings: dict[int, Rating] = {}
    parts: Counter[str] = Counter()
    wrong = ""
    for line in output.stdout.splitlines():
        if row := _ROW.fullmatch(line):
            # In tenths, that sums are exact.
            parts[row[1]] += round(float(row[2]) * 10)
        elif total := _TOTAL.fullmatch(line):
            number = int(total[1])
            if number in ratings or number not in units:
                wrong = f"a rating of unit {number}"
            ratings[number] = Rating(float(total[2]), {name: tenths / 10 for name, tenths in parts.most_common()})
            parts.clear()
    if wrong or not ratings:
        raise Inconclusive(
            f"its output has not the form it must have ({wrong or 'no rating'}; exit code {output.exit_code}): "
            f"{output.last_words}"
        )
    return ratings


def _said(output: Output, given: Given) -> list[str]:
    """The lines of its errors, with the paths of originals."""
    text = output.stderr
    # Drop-ins first: their paths begin with those of their units.
    for copy, path in sorted(given.copies.items(), reverse=True):
        text = text.replace(str(copy), path)
    named = re.sub(_NAME, lambda match: given.units[int(match[1])].path if int(match[1]) in given.units else "", text)
    return [line.strip() for line in named.splitlines() if line.strip()]


def _describe(unit: Unit, rating: Rating) -> str:
    open_to = ", ".join(f"{name} {part:.1f}" for name, part in rating.parts.items() if part >= OPEN)
    taken = " (a template: whatever user is put in is taken for another than root)" if unit.is_filled else ""
    return f"{unit.path}: {rating.exposure:.1f}{taken}; open by {open_to or 'little'}"


def _found(unit: Unit, rating: Rating, limit: float) -> Found:
    worst = ", ".join(f"{name} ({part:.1f})" for name, part in list(rating.parts.items())[:WORST])
    return Found(
        rule="exposure",
        rule_class="exposure of a service unit",
        severity=Severity.HIGH if rating.exposure >= EXPOSED else Severity.MEDIUM,
        message=f"systemd rates its exposure {rating.exposure:.1f} of 10, allowed is {limit}; most of it by {worst}",
        path=unit.path,
        line=unit.line,
        references=("CWE-250",),
    )

"""pip-audit: known vulnerabilities of what is locked.

Where the service knows nothing of a package it passes over it, prints that there are no vulnerabilities, and exits 0; a
crash exits 1 like a finding. So every pin must be among its answers, none passed over, and a version of which everybody
knows that it is vulnerable must be found so in the same run.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from harness.errors import Inconclusive
from harness.verdict import Severity
from security.advisories.source import FETCH, Source, open_source
from security.findings import Found
from security.scan.locks import Pin, read_locks
from security.scan.scanner import ENVIRONMENT, Judgement, Output, Reply, Scene, Task, parse, require_exit

CANARY = ("jinja2", "2.4.1")
ANSWER_SECONDS = 15
# What it only warns of: advisories that it has dropped.
DROPPED = ("Unsupported OSV schema version", "is missing 'affected' list")


class Vulnerability(Reply):
    """A known vulnerability of one version."""

    id: str
    fix_versions: list[str]
    aliases: list[str]


class Dependency(Reply):
    """One of pip-audit's answers; `skip_reason` where it has none."""

    name: str
    version: str | None = None
    vulns: list[Vulnerability] | None = None
    skip_reason: str | None = None


class Report(Reply):
    """pip-audit's JSON report."""

    dependencies: list[Dependency]


@dataclass(frozen=True)
class PipAudit:
    """The scanner of dependencies. `advisories` is ops.toml's setting, `limit` how old they may be at `now`."""

    advisories: str
    limit: timedelta
    now: datetime
    name: str = "dependencies"
    title: str = "pip-audit knows of no vulnerability in what is locked"
    program: str = "pip-audit"
    environment: str = ENVIRONMENT
    categories: tuple[str, ...] = ("A03:2025",)

    def prepare(self, scene: Scene, stack: ExitStack) -> Task:
        """See `Scanner`. Whatever machine a pin is for, it is asked for."""
        pins = read_locks(scene.repository)
        source = stack.enter_context(
            open_source(
                self.advisories,
                repository=scene.repository,
                python=scene.program(self.environment, "python"),
                logs=scene.scratch / "mirror",
                environ=scene.environ,
            )
        )
        asked = scene.scratch / "asked.txt"
        asked.write_text("".join(f"{line}\n" for line in spell({(pin.name, pin.version) for pin in pins} | {CANARY})))
        age = source.doubt(self.now, self.limit)
        return Task(
            arguments=(
                *("--requirement", str(asked), "--no-deps", "--disable-pip"),
                *("--format", "json", "--aliases", "on", "--desc", "off", "--progress-spinner", "off"),
                # A cache of its own: what another run was told is not what is true now.
                *("--cache-dir", str(scene.scratch / "cache"), "--timeout", str(ANSWER_SECONDS)),
                *source.arguments,
            ),
            directory=scene.scratch,
            judge=lambda output: judge(output, pins, source, source.told(self.now), age),
            settings=source.settings,
        )


def spell(wanted: Iterable[tuple[str, str]]) -> list[str]:
    """NAME==VERSION for each, in which no two have the same name: the second version of `jinja2` is that of `Jinja2`.

    pip-audit refuses two versions of one name, but takes names as they are written, and asks for them normalised.
    Raises Inconclusive where a name has too few letters for its versions.
    """
    versions: dict[str, list[str]] = defaultdict(list)
    for name, version in sorted(wanted):
        versions[name].append(version)
    lines = []
    for name, each in versions.items():
        spellings = [name[:count].upper() + name[count:] for count in range(len(name) + 1)]
        spellings = list(dict.fromkeys(spellings))
        if len(spellings) < len(each):
            raise Inconclusive(f"{name} is locked in {len(each)} versions, too many to ask for")
        lines += [f"{spelling}=={version}" for spelling, version in zip(spellings, each, strict=False)]
    return lines


def judge(output: Output, pins: Sequence[Pin], source: Source, told: str, age: str) -> Judgement:
    """What pip-audit's answers come to; a doubt where one is missing or was no answer, or of the `age` of the source.

    `told` says who was asked.
    """
    try:
        require_exit(output, (0, 1))
        report = parse(Report, output)
    except Inconclusive as error:
        raise Inconclusive(f"{error}; {source.remedy}") from None
    known = {(each.name, each.version): each.vulns for each in report.dependencies if each.vulns is not None}
    lack = f"it did not find what was planted, {' '.join(CANARY)} ({source.lack})" if source.lack else ""
    unknown = lack if not known.get(CANARY) else ""
    unjudged = "; ".join(source.unjudged())
    if unjudged:
        unjudged += f"; mend the file, or {FETCH}"
    places: dict[tuple[str, str], list[Pin]] = defaultdict(list)
    for pin in pins:
        places[pin.name, pin.version].append(pin)
    return Judgement(
        findings=tuple(_findings(places, known)),
        examined=len(places.keys() & known.keys()),
        canary_seen=bool(known.get(CANARY)),
        evidence=(
            f"{len(places)} distributions of {len({pin.path for pin in pins})} locks ({len(pins)} pins)",
            told,
        ),
        doubt=_gap(output, report, [each for each in places if each not in known]) or unjudged or unknown or age,
    )


def _gap(output: Output, report: Report, missing: Sequence[tuple[str, str]]) -> str:
    """What pip-audit has not answered; empty where it has answered everything."""
    if passed_over := [each for each in report.dependencies if each.vulns is None]:
        return (
            f"{len(passed_over)} of {len(report.dependencies)} dependencies were passed over, {passed_over[0].name} "
            f"among them: {passed_over[0].skip_reason}"
        )
    if missing:
        return f"{len(missing)} dependencies have no answer, {'=='.join(missing[0])} among them"
    if any(warning in output.stderr for warning in DROPPED):
        return f"pip-audit has dropped an advisory that it does not understand: {output.last_words}"
    return ""


def _findings(
    places: Mapping[tuple[str, str], Sequence[Pin]],
    known: Mapping[tuple[str, str | None], Sequence[Vulnerability]],
) -> Iterable[Found]:
    for (name, version), pins in places.items():
        for each in known.get((name, version), ()):
            ids = sorted({each.id, *each.aliases})
            # The same one whichever source was asked, where it has a CVE.
            main = next((one for one in ids if one.startswith("CVE-")), each.id)
            fixed = f"fixed in {', '.join(each.fix_versions)}" if each.fix_versions else "no version has it fixed"
            locks = ", ".join(pin.path for pin in pins)
            yield Found(
                rule=main,
                rule_class=main,
                severity=Severity.HIGH,
                message=f"{name} {version} has {main}; {fixed}; locked in {locks}",
                path=pins[0].path,
                line=pins[0].line,
                subject=f"{name} {main}",
                references=tuple(ids),
            )

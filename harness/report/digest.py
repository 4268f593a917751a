"""What a reader needs first, worked out once for every report: the verdict in words, what is wrong, what to do."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.record import Check, Finding, Measurement, Part, RunRecord, failure_reason
from harness.verdict import CheckStatus, Severity, Status

MOST_FINDINGS = 10
"""How many findings of one check a report shows at once; how many more there are is told beside them."""

_WORST_FIRST = {severity: rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True)
class NotChecked:
    """A check without an answer, and why that is so."""

    check: Check
    why: str
    counts: bool
    """Whether it keeps the run from passing."""


@dataclass(frozen=True)
class PartDigest:
    """One part of a nightly run with what its checks came to."""

    part: Part
    counts: Counter[CheckStatus]
    figures: tuple[Measurement, ...]


@dataclass(frozen=True)
class Digest:
    """A record, sorted for reading."""

    headline: str
    counts: Counter[CheckStatus]
    failed: tuple[Check, ...]
    not_checked: tuple[NotChecked, ...]
    waived: tuple[Check, ...]
    parts: tuple[PartDigest, ...]
    to_do: tuple[str, ...]


def make_digest(record: RunRecord) -> Digest:
    """The digest of a record: failures worst first, and everything that has no answer, whether it counts or not."""
    counts = Counter(check.status for check in record.checks)
    failed = tuple(
        sorted(
            (check for check in record.checks if check.status is CheckStatus.FAILED),
            key=lambda check: _WORST_FIRST[check.severity],
        )
    )
    not_checked = tuple(_not_checked(record))
    return Digest(
        headline=_headline(record, counts, not_checked),
        counts=counts,
        failed=failed,
        not_checked=not_checked,
        waived=tuple(check for check in record.checks if check.status is CheckStatus.WAIVED),
        parts=tuple(_part_digest(record, part) for part in record.parts),
        to_do=tuple(_to_do(record, failed, not_checked)),
    )


def open_findings(check: Check) -> list[Finding]:
    """The findings of a check that count, the worst first."""
    return sorted(check.open_findings, key=lambda found: _WORST_FIRST[severity_of(found, check)])


def severity_of(found: Finding, check: Check) -> Severity:
    """How bad a finding is: as it says itself, else as its check says."""
    return found.severity or check.severity


def why_failed(check: Check) -> str:
    """The reason of a failed check where its findings follow: their number in place of the first of them."""
    found = check.open_findings
    if not found or check.reason != failure_reason(found, check.failures):
        return check.reason
    return "; ".join([count_findings(len(found)), *check.failures])


def count_findings(number: int) -> str:
    """A number of findings in words."""
    return f"{number} finding{'' if number == 1 else 's'}"


def count_open(record: RunRecord) -> int:
    """How many findings keep the run from passing."""
    return sum(len(check.open_findings) for check in record.checks if check.status is CheckStatus.FAILED)


def lacks_a_red_check(record: RunRecord) -> bool:
    """Whether the run did not pass though no check alone says so: it was interrupted, or no check passed."""
    red = {CheckStatus.FAILED, CheckStatus.INCONCLUSIVE}
    counting = [check for check in record.checks if check.id not in record.allowed_inconclusive]
    return record.status is not Status.PASSED and not any(check.status in red for check in counting)


def command_of(record: RunRecord, check: Check | None = None) -> str:
    """The command that makes this run again, or the part of it that `check` belongs to."""
    for part in record.parts:
        if check is not None and check.id.startswith(f"{part.name}."):
            return " ".join(("./inv", *part.command))
    target = record.arguments.get("target")
    return f"./inv {record.kind}" + (f" --target {target}" if isinstance(target, str) else "")


def figure(value: float, unit: str) -> str:
    """A value with its unit, with as many digits as help a reader."""
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} {unit}".rstrip() if unit != "1" else digits


def duration(seconds: float) -> str:
    """A duration in words: 45 ms, 3.2 s, 2 min 5 s, 1 h 2 min."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def figure_name(measurement: Measurement) -> str:
    """A measurement's name in words, without its part."""
    statistic = "" if measurement.statistic == "value" else f" {measurement.statistic}"
    labels = ", ".join(f"{key} {value}" for key, value in measurement.labels.items() if key != "part")
    name = measurement.name.replace("_", " ").replace(".", " ")
    return f"{name}{statistic}" + (f" ({labels})" if labels else "")


def _not_checked(record: RunRecord) -> list[NotChecked]:
    found = []
    for check in record.checks:
        if check.status is CheckStatus.INCONCLUSIVE:
            allowed = check.id in record.allowed_inconclusive
            why = "could not be measured; allowed by --allow-inconclusive" if allowed else "could not be measured"
            found.append(NotChecked(check, why, counts=not allowed))
        elif check.status is CheckStatus.SKIPPED:
            found.append(NotChecked(check, "left out on request", counts=False))
    return sorted(found, key=lambda each: not each.counts)


def _headline(record: RunRecord, counts: Counter[CheckStatus], not_checked: Sequence[NotChecked]) -> str:
    total = len(record.checks)
    found = count_open(record)
    tail = [count_findings(found)] if found else []
    tail += [f"{len(not_checked)} NOT CHECKED"] if not_checked else []
    tail += [f"{counts[CheckStatus.WAIVED]} waived"] if counts[CheckStatus.WAIVED] else []
    passed = f"{counts[CheckStatus.PASSED]} of {total} checks passed"
    match record.status:
        case Status.FAILED:
            return ", ".join([f"{counts[CheckStatus.FAILED]} of {total} checks failed", *tail])
        case Status.INTERRUPTED:
            return ", ".join(["Stopped before its end", passed, *tail])
        case Status.INCONCLUSIVE if not counts[CheckStatus.PASSED]:
            return ", ".join(["Nothing was shown: no check passed", *tail])
        case Status.INCONCLUSIVE:
            return ", ".join(["Not a pass", passed, *tail])
        case Status.PASSED:
            everything = f"All {total} checks passed" if counts[CheckStatus.PASSED] == total else passed
            return ", ".join([everything, *tail])


def _to_do(record: RunRecord, failed: Sequence[Check], not_checked: Sequence[NotChecked]) -> list[str]:
    """Next steps: one per command to run again and kind of trouble, failures before what has no answer."""
    unanswered = [each.check for each in not_checked if each.counts]
    steps = [
        *(f"Mend {names}, then run: {command}" for command, names in _by_command(record, failed)),
        *(f"Find out why {names} gave no answer: {command}" for command, names in _by_command(record, unanswered)),
    ]
    if not steps and record.status is not Status.PASSED:
        steps = [f"Run it again: {command_of(record)}"]
    return steps


def _by_command(record: RunRecord, checks: Sequence[Check]) -> list[tuple[str, str]]:
    """The commands that repeat these checks, each with the checks' ids in a phrase."""
    ids: dict[str, list[str]] = {}
    for check in checks:
        ids.setdefault(command_of(record, check), []).append(check.id)
    return [(command, _list(names)) for command, names in ids.items()]


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def _part_digest(record: RunRecord, part: Part) -> PartDigest:
    own = [check for check in record.checks if check.id.startswith(f"{part.name}.")]
    figures = [each for each in record.measurements if each.labels.get("part") == part.name]
    figures.sort(key=lambda each: (not each.crosses_limit, each.limit is None))
    return PartDigest(part, Counter(check.status for check in own), tuple(figures[:3]))

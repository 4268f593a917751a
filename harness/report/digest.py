"""What a reader needs first, worked out once for every report: the verdict in words, what is wrong, what to do."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.config import LOCAL
from harness.record import COMMAND, Check, Finding, Measurement, Part, RunRecord, failure_reason
from harness.verdict import CheckStatus, Severity, Status

MOST_FINDINGS = 10
"""How many findings of one check a report shows at once; how many more there are is told beside them."""

CHOICE = "--only"
"""The option that leaves out what it does not name."""
MOST_REASONS = 3
"""How many checks that do not apply are told with their reasons where no other was asked."""

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
    accepting: tuple[Check, ...]
    """Those that are waived, and those that failed beside findings that are accepted."""
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
        accepting=tuple(
            check for check in record.checks if check.status is CheckStatus.WAIVED or accepted_findings(check)
        ),
        parts=tuple(_part_digest(record, part) for part in record.parts),
        to_do=tuple(_to_do(record, failed, not_checked)),
    )


def open_findings(check: Check) -> list[Finding]:
    """The findings of a check that count, the worst first."""
    return sorted(check.open_findings, key=lambda found: _WORST_FIRST[severity_of(found, check)])


def accepted_findings(check: Check) -> list[Finding]:
    """The findings of a check that do not count, because somebody accepted them or an earlier record has them."""
    return [found for found in check.findings if found.accepted]


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
    """Whether the run did not pass though no check alone says so: it was interrupted, or nothing was shown."""
    red = {CheckStatus.FAILED, CheckStatus.INCONCLUSIVE}
    counting = [check for check in record.checks if check.id not in record.allowed_inconclusive]
    return record.status is not Status.PASSED and not any(check.status in red for check in counting)


def command_of(record: RunRecord, check: Check | None = None, *, narrowed: bool = True) -> str:
    """The command that makes this run again, or the part of it that `check` belongs to.

    Where it is not to be `narrowed`, without what chooses some of its checks.
    """
    for part in record.parts:
        if check is not None and check.id.startswith(f"{part.name}."):
            return " ".join(("./inv", *part.command))
    given = record.arguments.get(COMMAND)
    words = [str(word) for word in given] if isinstance(given, list) else [record.kind, *_target_option(record)]
    if not narrowed:
        words = [word for before, word in pairwise(["", *words]) if CHOICE not in {before, word}]
    return shlex.join(("./inv", *words))


def _target_option(record: RunRecord) -> list[str]:
    target = record.arguments.get("target")
    return ["--target", target] if isinstance(target, str) and target != LOCAL else []


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
        case Status.INCONCLUSIVE if lacks_a_red_check(record):
            return ", ".join(["Nothing was shown: nothing that was asked has an answer", *tail])
        case Status.INCONCLUSIVE:
            return ", ".join(["Not a pass", passed, *tail])
        case Status.PASSED:
            everything = f"All {total} checks passed" if counts[CheckStatus.PASSED] == total else passed
            return ", ".join([everything, *tail])


def _to_do(record: RunRecord, failed: Sequence[Check], not_checked: Sequence[NotChecked]) -> list[str]:
    """Next steps: one per command to run again and kind of trouble, failures before what has no answer."""
    unanswered = [each.check for each in not_checked if each.counts]
    if lacks_a_red_check(record) and record.status is Status.INCONCLUSIVE:
        # What may be without an answer is no answer all the same.
        unanswered = [each.check for each in not_checked if each.check.status is CheckStatus.INCONCLUSIVE]
    steps = [
        *(f"Mend {names}, then run: {command}" for command, names in _by_command(record, failed)),
        *(f"Find out why {names} gave no answer: {command}" for command, names in _by_command(record, unanswered)),
    ]
    if not steps and record.status is Status.INCONCLUSIVE and record.checks:
        steps = [_ask_for_more(record)]
    if not steps and record.status is not Status.PASSED:
        steps = [f"Run it again: {command_of(record)}"]
    return steps


def _ask_for_more(record: RunRecord) -> str:
    """What to do where all that was asked is left out or does not apply."""
    idle = [check for check in record.checks if check.status is CheckStatus.NOT_APPLICABLE]
    why = "; ".join(f"{check.id}: {check.reason}" for check in idle[:MOST_REASONS]) or "everything was left out"
    return f"Running it again would show no more ({why}). Ask for more: {command_of(record, narrowed=False)}"


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

"""What scanners find, in one form: named so that the name survives moved lines, and told once whoever found it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.record import Finding, fingerprint
from harness.verdict import Severity

ORDER = (Severity.INFO, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
"""From the mildest to the worst."""
Lines = Callable[[str], Sequence[str]]
"""The lines of a file, by its path from the repository; none where it cannot be read."""


@dataclass(frozen=True)
class Found:
    """One thing that a scanner found.

    `rule_class` is equal where several tools mean the same by rules of their own; `line` counts from 1, 0 where there
    is none; `subject` names it where its place would not (an advisory and its package may be in any lock).
    """

    rule: str
    rule_class: str
    severity: Severity
    message: str
    path: str
    line: int
    subject: str = ""
    references: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """PATH:LINE, or the path alone."""
        return f"{self.path}:{self.line}" if self.line else self.path


def name_of(found: Found, lines: Lines) -> str:
    """The fingerprint: of its rule's class, path, line's text without white space, and which of equal lines it is.

    So it stays when lines move, and two lines that read the same have one each.
    """
    if found.subject:
        return fingerprint(found.rule_class, found.subject)
    source = [_normal(line) for line in lines(found.path)]
    if not 0 < found.line <= len(source):
        return fingerprint(found.rule_class, found.path, str(found.line))
    text = source[found.line - 1]
    occurrence = source[: found.line - 1].count(text)
    return fingerprint(found.rule_class, found.path, text, str(occurrence))


def tell_once(found_by: Mapping[str, Iterable[Found]], lines: Lines) -> dict[str, dict[str, Found]]:
    """Each scanner's findings by fingerprint, without those that an earlier scanner has, or the same one twice.

    What several found has the worst severity and the references of all, and its message names the other rules.
    """
    told: dict[str, dict[str, Found]] = {scanner: {} for scanner in found_by}
    teller: dict[str, str] = {}
    for scanner, findings in found_by.items():
        for found in findings:
            name = name_of(found, lines)
            mine = told[teller.setdefault(name, scanner)]
            mine[name] = _join(mine[name], found) if name in mine else found
    return told


def to_record(name: str, found: Found) -> Finding:
    """The finding as a run record holds it."""
    return Finding(
        fingerprint=name,
        rule=found.rule,
        message=found.message,
        location=found.location,
        references=found.references,
        severity=found.severity,
    )


def read_lines(repository: Path) -> Lines:
    """How to read the lines of a repository's files."""

    def lines(path: str) -> Sequence[str]:
        try:
            return (repository / path).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ()

    return lines


def worst(first: Severity, second: Severity) -> Severity:
    """The worse of two."""
    return max(first, second, key=ORDER.index)


def _join(first: Found, second: Found) -> Found:
    message = first.message
    if second.rule not in f"{first.rule} {first.message}":
        message = f"{first.message} (also {second.rule})"
    references = tuple(dict.fromkeys((*first.references, *second.references)))
    return replace(first, severity=worst(first.severity, second.severity), message=message, references=references)


def _normal(line: str) -> str:
    return "".join(line.split())

"""Prometheus' text format, read strictly: a line that is not of it, or stands there twice, is told.

Source: Prometheus' documentation, "Exposition formats", text-based format 0.0.4.
"""

import re
from dataclasses import dataclass

METRIC = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
VALUE = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|nan)"
SAMPLE = re.compile(
    rf"({METRIC})(?:\{{((?:{LABEL}(?:,{LABEL})*,?)?)\}})?[ \t]+{VALUE}(?:[ \t]+-?\d+)?",
    re.IGNORECASE,
)
TYPE = re.compile(rf"# TYPE ({METRIC}) (?:counter|gauge|histogram|summary|untyped)")
HELP = re.compile(rf"# HELP ({METRIC}) (?:[^\\]|\\[\\n])*")
LABELS = re.compile(LABEL)


class ExpositionError(ValueError):
    """A text is not of the format; the message says which line, and why."""


@dataclass(frozen=True)
class Series:
    """One series: a metric, and its labels by name, as they are spelled."""

    metric: str
    labels: tuple[tuple[str, str], ...]


def parse(text: str) -> list[Series]:
    """The series of an exposition. Raises ExpositionError."""
    if not text.endswith("\n"):
        raise ExpositionError("the last line does not end")
    seen: dict[Series, int] = {}
    described: set[str] = set()
    for number, line in enumerate(text[:-1].split("\n"), 1):
        if line.startswith(("# TYPE ", "# HELP ")):
            if not (TYPE.fullmatch(line) or HELP.fullmatch(line)):
                raise ExpositionError(f"line {number} describes no metric")
            if (said := " ".join(line.split(" ")[1:3])) in described:
                raise ExpositionError(f"line {number} describes a metric for a second time")
            described.add(said)
        elif line and not line.startswith("#"):
            series = _series(line, number)
            if series in seen:
                raise ExpositionError(f"line {number} is the series of line {seen[series]} again")
            seen[series] = number
    return list(seen)


def _series(line: str, number: int) -> Series:
    found = SAMPLE.fullmatch(line)
    if found is None:
        raise ExpositionError(f"line {number} is no sample")
    pairs = [each.group().partition("=") for each in LABELS.finditer(found[2] or "")]
    labels = tuple(sorted((name, value[1:-1]) for name, _, value in pairs))
    if len({name for name, _ in labels}) != len(labels):
        raise ExpositionError(f"line {number} has a label twice")
    return Series(found[1], labels)

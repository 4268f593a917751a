"""Prometheus' text format, as far as sums of samples by name and labels need it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Exposition:
    """The samples of one reading of /metrics: each a name, its labels and its value."""

    samples: tuple[tuple[str, Mapping[str, str], float], ...]

    def has(self, name: str) -> bool:
        """Whether there is a sample of this name."""
        return any(name == each for each, _, _ in self.samples)

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 where there are none."""
        return sum(
            value
            for each, found, value in self.samples
            if each == name and all(found.get(key) == wanted for key, wanted in labels.items())
        )


def read_exposition(text: str) -> Exposition:
    """The samples in a text. What is no sample is passed over."""
    return Exposition(tuple(_samples(text)))


def _samples(text: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for line in text.splitlines():
        found = SAMPLE.match(line)
        if found:
            yield found[1], dict(LABEL.findall(found[2] or "")), float(found[3])

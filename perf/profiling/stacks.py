"""Collapsed stacks, a line each: frames from the outermost to the innermost, `;` between, and how often it was seen."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from perf.errors import PerfError

Stack = tuple[str, ...]


@dataclass(frozen=True)
class Frame:
    """A function, and the shares of all samples in which it ran itself, and in which it was on the stack."""

    name: str
    own: float
    total: float


def parse(text: str) -> Counter[Stack]:
    """Return how often each stack was seen. Raises PerfError for a line that is none."""
    stacks: Counter[Stack] = Counter()
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        if not count.isdecimal() or " " not in line:
            raise PerfError(f"not a collapsed stack: {line[:120]!r}")
        if frames:  # a thread that was just beginning has none yet
            stacks[tuple(frames.split(";"))] += int(count)
    return stacks


def frames(stacks: Mapping[Stack, int]) -> list[Frame]:
    """Return every function, those that ran themselves most often first; empty without samples.

    A function that is on a stack twice, because it calls itself, counts once there.
    """
    samples = sum(stacks.values())
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, count in stacks.items():
        own[stack[-1]] += count
        for name in set(stack):
            total[name] += count
    found = (Frame(name, own[name] / samples, total[name] / samples) for name in total)
    return sorted(found, key=lambda frame: (-frame.own, -frame.total, frame.name))


def by_total(found: Iterable[Frame], folder: str) -> list[Frame]:
    """Those of a package's folder, the ones that are on most stacks first."""
    return sorted((frame for frame in found if f"({folder}/" in frame.name), key=lambda frame: -frame.total)

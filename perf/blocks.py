"""Two sides measured by turns: the order ABBA, the ratio between them with its interval, what could have been seen."""

import functools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["base", "head"]
SIDES: tuple[Side, Side] = ("base", "head")

CONFIDENCE = 0.95
POWER = 0.8
"""How often the smallest effect that is told of would have been seen."""
STEEPEST = 1e9
"""No quantile beyond this is looked for."""


def turns(pairs: int) -> Iterator[tuple[Side, Side]]:
    """Which side comes first and second in each pair: AB, BA, AB, …; two pairs are a block ABBA.

    What drifts evenly during a block, the machine's warmth for example, meets both sides alike.
    """
    for number in range(pairs):
        yield ("head", "base") if number % 2 else ("base", "head")


@dataclass(frozen=True)
class Effect:
    """How many times head's figures are base's: the geometric mean of the blocks, with its confidence interval.

    `smallest` is the ratio above 1 that would have been told from 1 in POWER of all runs with this noise.
    """

    ratio: float
    low: float
    high: float
    smallest: float
    blocks: int

    def exceeds(self, percent: float) -> bool:
        """Whether head is larger by more than this, and so surely that the interval leaves 1 out."""
        return self.ratio > 1 + percent / 100 and self.low > 1


def by_block(figures: Sequence[float], combine: Callable[[Sequence[float]], float]) -> list[float]:
    """A side's figure of each block, from the two that it measured there, in the order they were measured in."""
    return [combine(pair) for pair in zip(figures[::2], figures[1::2], strict=True)]


def effect(base: Sequence[float], head: Sequence[float], *, comparisons: int = 1) -> Effect:
    """Compare two sides by their figures (above zero) of each block.

    Student's t on the blocks' log ratios. Among several `comparisons` in one run each interval is as much wider
    (Bonferroni) as keeps all of them right together with CONFIDENCE. Raises ValueError for fewer than two blocks.
    """
    if len(base) != len(head) or len(base) < 2:
        raise ValueError(f"needs at least two blocks of both sides, not {len(base)} and {len(head)}")
    ratios = [math.log(after / before) for before, after in zip(base, head, strict=True)]
    mean, error = statistics.fmean(ratios), statistics.stdev(ratios) / math.sqrt(len(ratios))
    freedom = len(ratios) - 1
    wide = quantile(1 - (1 - CONFIDENCE) / (2 * comparisons), freedom)
    return Effect(
        ratio=math.exp(mean),
        low=math.exp(mean - wide * error),
        high=math.exp(mean + wide * error),
        smallest=math.exp((wide + quantile(POWER, freedom)) * error),
        blocks=len(ratios),
    )


@functools.cache
def quantile(probability: float, freedom: int) -> float:
    """The quantile (0.5 or more) of Student's t with so many degrees of freedom."""
    return _solve(lambda t: (1 + _within(t, freedom)) / 2 - probability)


def _within(t: float, freedom: int) -> float:
    """How probable it is that Student's t lies between -t and t (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= (step - 1) / step * math.cos(angle) ** 2
        total += term
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total


def _solve(rising: Callable[[float], float]) -> float:
    """Where a rising function that begins at or below zero is zero."""
    low, high = 0.0, 1.0
    while rising(high) < 0 and high < STEEPEST:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return high

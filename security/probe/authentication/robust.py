"""A statistic that a noisy machine cannot fool: undisturbed times compared, with bounds that assume nothing."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Z = 3.89
"""Of the normal distribution: one in 10 000 lies outside, both sides together."""
BLOCK = 5
"""So many pairs have at least one request on each side that nothing disturbed, as a rule."""
Pair = tuple[float, float]


@dataclass(frozen=True)
class Difference:
    """By how many seconds the first of a pair takes longer, and the bounds that hold it with a probability of 0.9999.

    `pairs` is how many it stands on.
    """

    median: float
    low: float
    high: float
    pairs: int

    @property
    def least(self) -> float:
        """How far from nothing it is at least; 0 where it may be nothing."""
        return max(self.low, -self.high, 0.0)

    @property
    def uncertainty(self) -> float:
        """Half the width of its bounds: a smaller difference would not be seen."""
        return (self.high - self.low) / 2


def difference(pairs: Sequence[Pair]) -> Difference:
    """The median of what the quickest of each BLOCK differ by, and its bounds, from the ranks that a sign test leaves.

    Nothing is assumed of the noise but that it does not know which of a pair is which, so outliers of any size do no
    harm. Raises ValueError where there are too few for any bounds.
    """
    blocks = [pairs[start : start + BLOCK] for start in range(0, len(pairs) - BLOCK + 1, BLOCK)]
    ordered = sorted(min(first for first, _ in block) - min(second for _, second in block) for block in blocks)
    reach = Z * math.sqrt(len(ordered)) / 2
    low, high = math.floor(len(ordered) / 2 - reach) - 1, math.ceil(len(ordered) / 2 + reach)
    if low < 0 or high >= len(ordered):
        raise ValueError(f"{len(pairs)} pairs have no bounds")
    return Difference(statistics.median(ordered), ordered[low], ordered[high], len(pairs))

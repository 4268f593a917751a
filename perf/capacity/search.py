"""The search for the highest rate that holds: doubled until one does not, then halved in between. Nothing is sent here.

Every neighbour on the machine can spoil a step, and none can make one hold that does not: so a step that did not hold
is tried once more.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from perf.capacity.model import CapacityTable
from perf.load.bottleneck import Bottleneck


class Outcome(StrEnum):
    """What became of a step."""

    HELD = "held"
    BROKE = "broke"
    UNKNOWN = "unknown"
    """It could not be told: k6 was the limit, or there were too few answers."""


@dataclass(frozen=True)
class Step:
    """Calls that arrived at one rate for a while: `p95_milliseconds` of all of them, NaN without an answer."""

    per_second: int
    outcome: Outcome
    reason: str
    p95_milliseconds: float
    bottleneck: Bottleneck | None


@dataclass(frozen=True)
class Capacity:
    """What a search found; None is what it did not come to."""

    highest_held: Step | None
    lowest_not_held: Step | None
    knee: Step | None
    """The heaviest step that held before calls took `knee_factor` times what they take at rest."""


def search(send: Callable[[int], Step], plan: CapacityTable) -> Iterator[Step]:
    """Yield each step when it was made. It ends at `most_per_second`, or when the capacity is known within the plan."""
    held, not_held, rate = 0, 0, plan.first_per_second
    while True:
        step = send(rate)
        yield step
        if step.outcome is not Outcome.HELD:
            step = send(rate)
            yield step
        if step.outcome is Outcome.HELD:
            held = rate
        else:
            not_held = rate
        following = _next(held, not_held, plan)
        if following is None:
            return
        rate = following


def _next(held: int, not_held: int, plan: CapacityTable) -> int | None:
    """The rate to try when `held` is the highest that held and `not_held` the lowest that did not; 0 is none yet."""
    if not held:  # the lightest step did not hold
        return None
    if not not_held:
        return min(2 * held, plan.most_per_second) if held < plan.most_per_second else None
    if not_held <= held * (1 + plan.within_percent / 100) or not_held - held < 2:
        return None
    # Not rounded to one of its ends, which were tried.
    return min(max(round(math.sqrt(held * not_held)), held + 1), not_held - 1)


def conclude(steps: Sequence[Step], plan: CapacityTable) -> Capacity:
    """What the steps of a search say."""
    held = sorted((each for each in steps if each.outcome is Outcome.HELD), key=lambda each: each.per_second)
    highest = held[-1].per_second if held else 0
    others = [each for each in steps if each.outcome is not Outcome.HELD and each.per_second > highest]
    knee = None
    for step in held:
        if step.p95_milliseconds > plan.knee_factor * held[0].p95_milliseconds:
            break
        knee = step
    # Of two tries at one rate the first stands for both, unless it alone could not tell.
    lowest = min(others, key=lambda each: (each.per_second, each.outcome is Outcome.UNKNOWN), default=None)
    return Capacity(held[-1] if held else None, lowest, knee)

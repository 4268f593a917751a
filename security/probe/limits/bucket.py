"""Accepted and refused calls against a token bucket, by times taken at the client, so that no true bucket is accused.

A call is decided somewhere between its sending and its answer. So a window begins where its first call was sent and
ends where its last was answered: what was decided inside cannot have taken less time than that, nor had less refilled.
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from harness.errors import Inconclusive
from security.probe.site import RateLimit

CLOCKS = 0.001
"""By how much of themselves two clocks' seconds may differ: each is slewed by 500 millionths at most."""
ROUNDING = 1e-6
SERVED_SHARE = 0.99
"""How much of the allowance must be served."""


class Fate(Enum):
    """What became of a call."""

    SERVED = auto()
    REFUSED = auto()
    """By the limit."""
    OTHER = auto()
    """Neither: it was no call for this server, or was lost."""


@dataclass(frozen=True)
class Call:
    """One call: when it was sent, when its answer had come (seconds of one clock), and what became of it."""

    sent: float
    answered: float
    fate: Fate


@dataclass(frozen=True)
class Window:
    """So many calls were served within so many seconds, where `allowed` is the most, or the least, that fits.

    `drained`: it begins where a call was refused.
    """

    served: int
    allowed: float
    seconds: float
    drained: bool = False

    def __str__(self) -> str:
        return f"{self.served} calls in {self.seconds:.3g} s, where the limit gives {self.allowed:.4g}"


def overdraft(calls: Sequence[Call], limit: RateLimit) -> Window | None:
    """The window in which the calls served exceed most what any bucket of this limit can give; None where none does.

    A window begins with a full bucket, or with less than one token where a call was refused before it. The latter are
    told only where none of the former is exceeded: the refusal may have been another limit's.
    """
    refill = limit.per_minute / 60 * (1 + CLOCKS)
    served = sorted(of(calls, Fate.SERVED), key=_sent)
    refused = sorted(of(calls, Fate.REFUSED), key=_answered)
    times = [call.answered for call in refused]
    worst: dict[bool, tuple[float, Window]] = {}
    ends: list[float] = []
    for first in reversed(served):
        insort(ends, first.answered)
        starts = [(False, limit.burst, first.sent)]
        if before := bisect_right(times, first.sent):
            starts.append((True, 1.0, refused[before - 1].sent))
        for drained, level, start in starts:
            for count, end in enumerate(ends, 1) if len(ends) > level else ():
                allowed = level + refill * (end - start)
                if count - allowed > worst.get(drained, (ROUNDING,))[0]:
                    worst[drained] = count - allowed, Window(count, allowed, end - start, drained=drained)
    found = worst.get(False) or worst.get(True)
    return found[1] if found else None


def shortfall(calls: Sequence[Call], limit: RateLimit, *, full: bool) -> Window | None:
    """Where less was served than 99 % of what a bucket of this limit must give; None where nowhere.

    Between two refusals it gives what is refilled, less the one token that may be there at the second. With `full` the
    bucket was full at the first call, and its burst is asked for too. Raises Inconclusive where calls came so slowly
    that a true bucket may have overflowed, or none was refused.
    """
    refill = limit.per_minute / 60 * (1 - CLOCKS)
    refused = sorted(of(calls, Fate.REFUSED), key=_sent)
    if not refused:
        raise Inconclusive("no call was refused: the calls did not reach the limit")
    gap = max((after.answered - before.sent for before, after in pairwise(refused)), default=0.0)
    if limit.per_minute / 60 * gap > limit.burst - 1:
        raise Inconclusive(f"{gap:.3g} s passed between two refusals: the calls did not stay above the limit")
    first, last = refused[0], refused[-1]
    between = sum(call.answered > first.sent and call.sent < last.answered for call in of(calls, Fate.SERVED))
    seconds = max(last.sent - first.answered, 0.0)
    windows = [Window(between, SERVED_SHARE * refill * seconds - 1, seconds)]
    if full:
        windows.append(_burst(calls, limit, first))
    return min((each for each in windows if each.served < each.allowed), key=lambda each: each.served, default=None)


def of(calls: Sequence[Call], fate: Fate) -> list[Call]:
    """Those with this fate."""
    return [call for call in calls if call.fate is fate]


def _burst(calls: Sequence[Call], limit: RateLimit, refused: Call) -> Window:
    """What was served up to the first refusal, of a bucket that was full before."""
    refill = limit.per_minute / 60
    before = sorted((call for call in of(calls, Fate.SERVED) if call.sent < refused.answered), key=_sent)
    if not before:
        return Window(0, SERVED_SHARE * limit.burst - 1, 0.0)
    # A full bucket overflows while fewer calls have been decided than were refilled since the first.
    ends = sorted(call.answered for call in before)
    done, lost = 0, 0.0
    for call in [*before, refused]:
        while done < len(ends) and ends[done] <= call.sent:
            done += 1
        lost = max(lost, refill * (call.answered - before[0].sent) - done)
    if lost > max(1.0, (1 - SERVED_SHARE) * limit.burst):
        raise Inconclusive("the calls came more slowly than the limit refills")
    seconds = max(refused.sent - ends[0], 0.0)
    least = SERVED_SHARE * (limit.burst + refill * (1 - CLOCKS) * seconds) - lost - 1
    return Window(len(before), least, seconds)


def _sent(call: Call) -> float:
    return call.sent


def _answered(call: Call) -> float:
    return call.answered

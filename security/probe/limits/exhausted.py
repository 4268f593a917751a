"""A tenant whose allowance is used up: from then on only what is refilled may be served, in whatever way it is asked.

So a way around the limit shows within a dozen calls. What it got is compared with the least time that these took, from
a plain call that was refused on: a true bucket held less than one token then.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.bucket import Call, Fate, of, overdraft
from security.probe.limits.caller import Caller, calling, limited
from security.probe.limits.line import Line
from security.probe.limits.sending import at_once, in_turn, opened
from security.probe.site import RateLimit, Site, Tenant

LINES = 8
"""On how many connections at once an allowance is used up."""
IN_A_ROW = 8
TRIES = 12
"""How many calls are sent in each way."""
ROUNDS = 3
REFILLED = 2.5
"""For how many tokens is waited where one call is to be served, and there must be a token after it."""
OWN_TOKENS = 4.0
"""What a way that has an allowance of its own holds when it is tried: more than its calls get by refill."""
IDLE_SECONDS = 1.0
"""A connection that is not used for longer may be ended by the server."""
FLOOD_SECONDS = 30.0
EXCESS = 50
"""A limit that is passed by so many calls is none."""
THROTTLING = ("CWE-770", "CWE-799")


@dataclass(frozen=True)
class Exhausted:
    """A caller with nothing left, and the line on which that was shown."""

    caller: Caller
    line: Line
    limit: RateLimit
    apart: bool
    """Whether the server was opened for this audit, so that no way was ever used up there."""

    def refused(self) -> Call:
        """A plain call that is refused now; what has been refilled is used up first. Raises Inconclusive."""
        request = self.caller.request()
        for _ in range(EXCESS):
            (call, *_) = in_turn(self.line, [request])
            if call.fate is Fate.REFUSED:
                return call
        raise Inconclusive("plain calls were not refused any more, though the allowance was used up")

    def wait_for_tokens(self, count: float) -> None:
        """Wait until so many calls have been refilled."""
        seconds = count * 60 / self.limit.per_minute
        if seconds > IDLE_SECONDS:
            self.line.close()
        time.sleep(seconds)

    def let_others_refill(self) -> None:
        """Wait until a way with an allowance of its own has something of it, also where that had been used up before.

        Refused for that, it would look as if it had none.
        """
        if not self.apart:
            self.wait_for_tokens(OWN_TOKENS)

    def require_refill(self) -> None:
        """Wait until there is a token, shown by one before it that is served. Raises Inconclusive."""
        self.wait_for_tokens(REFILLED)
        (call,) = self.plainly(1)
        if call.fate is not Fate.SERVED:
            raise Inconclusive(f"{REFILLED:g} calls were waited for, and none is served: see limits.allowance")

    def try_way(self, check: OpenCheck, key: str, way: str, send: Callable[[], Sequence[Call]]) -> bool:
        """Send calls in a way, told in words; find it where more is served than was refilled meanwhile.

        Whether any was answered as a call; where none was that is told in the evidence, and not counted as examined.
        Raises Inconclusive where everything was served, but so slowly that it may have been refilled, or plain calls
        get as much.
        """
        for _ in range(ROUNDS):
            start = self.refused()
            calls = send()
            window = overdraft([start, *calls], self.limit)
            if window is not None:
                plain = [self.refused(), *self.plainly(len(calls))]
                if overdraft(plain, self.limit) is not None:
                    raise Inconclusive("plain calls too are served beyond the limit: see limits.allowance")
                check.examined += 1
                check.find(
                    "bypass",
                    f"a tenant whose allowance is used up goes on being answered when it calls {way}: {window}",
                    key=key,
                    references=THROTTLING,
                )
                return True
            if of(calls, Fate.REFUSED):
                check.examined += 1
                return True
            if not of(calls, Fate.SERVED):
                check.evidence.append(f"calls {way} are answered neither as calls nor as beyond the limit")
                return False
        raise Inconclusive(
            f"calls {way} were answered so slowly that all of them may have been within the limit: ask from nearer, "
            "or lower the limit"
        )

    def plainly(self, count: int = TRIES) -> list[Call]:
        """So many plain calls, one after the other."""
        return in_turn(self.line, [self.caller.request()] * count)


@contextlib.contextmanager
def exhausted(site: Site, check: OpenCheck, *, lines: int = LINES) -> Iterator[Exhausted]:
    """The owner with nothing left, used up on so many connections at once.

    Raises Inconclusive where its calls are not limited, or not answered.
    """
    with limited(site) as small, exhausted_there(site, small, check, small.owner, lines=lines) as drained:
        yield drained


@contextlib.contextmanager
def exhausted_there(
    site: Site, small: Site, check: OpenCheck, tenant: Tenant, *, lines: int = LINES
) -> Iterator[Exhausted]:
    """The same of a tenant of `small`."""
    limit = required_limit(small)
    with calling(site, small, tenant) as caller, opened(small, lines) as connections:
        calls = use_up(caller, limit, connections)
        if overdraft(calls, limit) is not None or not of(calls, Fate.REFUSED):
            raise Inconclusive("plain calls are served beyond the limit already: see limits.allowance")
        served = len(of(calls, Fate.SERVED))
        check.evidence.append(f"{caller.words}, taken to cost one token: {served} more used the allowance up")
        yield Exhausted(caller, connections[0], limit, apart=small is not site)


def use_up(caller: Caller, limit: RateLimit, lines: Sequence[Line]) -> list[Call]:
    """Call on the lines, on all at once, until IN_A_ROW calls were refused one after the other; return the calls.

    Ends early where far more than the limit was served. Raises Inconclusive where that takes too long, or a call is
    neither served nor refused.
    """
    calls: list[Call] = []
    served = 0
    request, began = caller.request(), time.monotonic()
    while (elapsed := time.monotonic() - began) < FLOOD_SECONDS:
        latest = at_once(lines, [request] * len(lines))
        calls += latest
        served += len(of(latest, Fate.SERVED))
        if of(latest, Fate.OTHER):
            raise Inconclusive("a plain call was neither served nor refused by the limit")
        if len(of(calls[-IN_A_ROW:], Fate.REFUSED)) == IN_A_ROW:
            return calls
        if served > limit.burst + limit.per_minute / 60 * elapsed + EXCESS:
            return calls
    raise Inconclusive(f"the limit of {limit.per_minute:g} a minute was not reached in {FLOOD_SECONDS:g} s of calling")


def required_limit(small: Site) -> RateLimit:
    """The site's limit. Raises Inconclusive."""
    if small.limit is None:
        raise Inconclusive("the rate limit is not known")
    return small.limit

"""A tenant gets its allowance: never more in any window, and at least 99 % of it."""

import time
from collections.abc import Sequence
from dataclasses import replace

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.limits.bucket import Call, Fate, of, overdraft, shortfall
from security.probe.limits.caller import LIST, Caller, calling, limited
from security.probe.limits.declare import limit_probe
from security.probe.limits.exhausted import LINES, THROTTLING, required_limit, use_up
from security.probe.limits.line import Line
from security.probe.limits.sending import in_turn, opened
from security.probe.site import RateLimit, Site

REFILLS = 6
"""How many tokens the refill is watched for."""
LONGEST_SECONDS = 10.0
OWN_CALLS = 20
"""At most so many tokens an audit has spent before it asks this alone."""
REST = 1.25
"""For how many times what fills the declared bucket nobody may call: filled for just that, a larger one looks alike."""
LONGEST_REST_SECONDS = 20.0


@limit_probe(
    "allowance", "A tenant gets its burst and refill: never more in any window, and at least 99 % of it", at_least=10
)
def allowance(check: OpenCheck, site: Site) -> None:
    """Call until nothing is left, go on while it refills, and judge both sides by the times of the calls.

    A bucket is known to be full where its tenant is new, or could rest. Else a burst that is served whole shows it, and
    one that is not shows nothing: others may have called.
    """
    with limited(site) as small:
        limit = required_limit(small)
        fresh = small.keys.new_tenant() if small.keys else None
        with calling(site, small, fresh or small.owner) as learned, opened(small, LINES) as lines:
            caller = usable(learned, lines[0])
            pause, full = rest(limit, new=fresh is not None, apart=small is not site)
            lines[0].close()  # a server ends connections that nobody uses
            time.sleep(pause)
            calls = use_up(caller, limit, lines)
            seconds = min(REFILLS * 60 / limit.per_minute, LONGEST_SECONDS)
            calls += steadily(caller, seconds)
        judge(check, calls, limit, full=full)
        check.evidence.append(f"{caller.words}, taken to cost one token")
        check.evidence.append(
            f"the refill was watched for {seconds * limit.per_minute / 60:.0f} tokens, one more or less"
        )
        if not full and not check.findings and (less := shortfall(calls, limit, full=True)):
            seconds = REST * filling(limit)
            raise Inconclusive(
                f"whether the burst is served whole, and no more, is not known: {less}, but the bucket may not have "
                f"been full; let nothing call as this tenant for {seconds:.0f} s, then --only {check.check_id}"
            )


def filling(limit: RateLimit) -> float:
    """In how many seconds an empty bucket fills."""
    return limit.burst * 60 / limit.per_minute


def rest(limit: RateLimit, *, new: bool, apart: bool) -> tuple[float, bool]:
    """For how many seconds to wait, and whether the bucket is full then.

    `new`: it was full before this probe called; `apart`: what to call was learned elsewhere, and has cost one token.
    """
    if not new and (long := REST * filling(limit)) <= LONGEST_REST_SECONDS:
        return long, True
    tokens = 1 if new and apart else OWN_CALLS
    return min(tokens * 60 / limit.per_minute, LONGEST_REST_SECONDS), new


def usable(learned: Caller, line: Line) -> Caller:
    """The call, or the list of tools where a new tenant has nothing for the call's tool to read. It costs a token."""
    (first,) = in_turn(line, [learned.request()])
    return replace(learned, method=LIST, params=None) if first.fate is Fate.OTHER else learned


def steadily(caller: Caller, seconds: float, every: float = 0.01) -> list[Call]:
    """Calls on one connection for so long, one every so many seconds."""
    calls: list[Call] = []
    began, request = time.monotonic(), caller.request()
    with Line(caller.site) as line:
        while (now := time.monotonic()) < began + seconds:
            calls += in_turn(line, [request])
            time.sleep(max(now + every - time.monotonic(), 0))
    return calls


def judge(check: OpenCheck, calls: Sequence[Call], limit: RateLimit, *, full: bool) -> None:
    """Find what was served beyond the limit, and what of it was not served. Raises Inconclusive."""
    served, lost = of(calls, Fate.SERVED), of(calls, Fate.OTHER)
    check.examined += len(calls) - len(lost)
    check.evidence.append(
        f"{len(served)} of {len(calls)} calls served, at {limit.per_minute:g} a minute and a burst of {limit.burst:g}"
    )
    more = overdraft(calls, limit)
    if more and more.drained:
        what = "a call is refused, and right after it more is served than is refilled, so the limit is no even one"
        check.find("uneven", f"{what}: {more}", key="uneven", references=THROTTLING)
    elif more:
        check.find("too-much", f"more is served than the limit allows: {more}", key="more", references=THROTTLING)
    elif lost:
        raise Inconclusive(f"{len(lost)} calls were neither served nor refused by the limit")
    elif less := shortfall(calls, limit, full=full):
        check.find("too-little", f"less is served than the limit allows: {less}", key="less", references=("CWE-799",))

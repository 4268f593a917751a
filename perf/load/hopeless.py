"""Whether a load that is running can still come to a good end: arithmetic, and silence."""

import math
from collections.abc import Sequence
from itertools import pairwise

from perf.load.model import Profile
from perf.load.windows import Reading

SILENT_SECONDS = 5.0
LEAST_FAILURES = 50
"""Fewer say too little to end a run for, whatever the limit."""
MARGIN = 2.0
"""How many times its highest rate so far the rest of a run is granted, where the rate is not fixed."""


def why_hopeless(readings: Sequence[Reading], profile: Profile, *, began: float) -> str:
    """Why the load that began at `began` (seconds on the readings' clock) should end now; empty while it should not."""
    return _silent(readings, profile, began) or _beyond_recovery(readings, profile, began)


def _silent(readings: Sequence[Reading], profile: Profile, began: float) -> str:
    """Nobody answered for so long that even users who think, or calls that seldom arrive, would have been answered.

    What k6 did not tell is no silence, and while OrderDesk fails, a server may wait for it.
    """
    known = [each for each in readings if each.generator_known and each.at >= began]
    if not known or not known[-1].generator.get("vus", 0.0) or _in_fault(known[-1].at - began, profile):
        return ""
    pause = max(profile.think_milliseconds / 1000, 1 / (profile.arrivals_per_second or math.inf))
    now = known[-1]
    earlier = [each for each in known if each.at <= now.at - SILENT_SECONDS - pause]
    if not earlier or _answered(now) > _answered(earlier[-1]):
        return ""
    return f"nobody answered for {now.at - earlier[-1].at:.0f} s"


def _in_fault(seconds: float, profile: Profile) -> bool:
    fault = profile.fault
    return fault is not None and fault.from_seconds <= seconds <= fault.until_seconds + fault.settle_seconds


def _answered(reading: Reading) -> float:
    return reading.generator.get("http_reqs", 0.0) - reading.generator.get("failed", 0.0)


def _beyond_recovery(readings: Sequence[Reading], profile: Profile, began: float) -> str:
    now = readings[-1]
    failed, sent = now.generator.get("failed", 0.0), now.generator.get("http_reqs", 0.0)
    if failed < LEAST_FAILURES:
        return ""
    passed = max(now.at - began, 1.0)
    left = max(0.0, profile.seconds - passed)
    rates = (
        (after.generator.get("http_reqs", 0.0) - before.generator.get("http_reqs", 0.0)) / (after.at - before.at)
        for before, after in pairwise(readings)
    )
    most = profile.requests_most or sent + left * MARGIN * max(rates, default=0.0)
    most = max(most, sent)
    if failed <= profile.failed_rate * most:
        return ""
    return f"{failed:.0f} requests failed; of the {most:.0f} that can be sent at most, {profile.failed_rate:.2%} may"

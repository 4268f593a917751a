"""Whether a load that is running can still come to a good end: arithmetic, and silence."""

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
    return _silent(readings, began) or _beyond_recovery(readings, profile, began)


def _silent(readings: Sequence[Reading], began: float) -> str:
    """Nobody answered for SILENT_SECONDS, though requests were sent or were waiting to be answered."""
    now = readings[-1]
    earlier = [each for each in readings if began <= each.at <= now.at - SILENT_SECONDS]
    if not earlier or _answered(now) > _answered(earlier[-1]):
        return ""
    # A faulty minute may be silent for honest reasons only where somebody thinks; nobody thinks for so long.
    return f"nobody answered for {now.at - earlier[-1].at:.0f} s"


def _answered(reading: Reading) -> float:
    return reading.generator.get("http_reqs", 0.0) - reading.generator.get("failed", 0.0)


def _beyond_recovery(readings: Sequence[Reading], profile: Profile, began: float) -> str:
    now = readings[-1]
    failed, sent = now.generator.get("failed", 0.0), now.generator.get("http_reqs", 0.0)
    passed = max(now.at - began, 1.0)
    left = max(0.0, profile.seconds - passed)
    rates = (
        (after.generator.get("http_reqs", 0.0) - before.generator.get("http_reqs", 0.0)) / (after.at - before.at)
        for before, after in pairwise(readings)
    )
    most = profile.requests_most or sent + left * MARGIN * max(rates, default=0.0)
    most = max(most, sent)
    if failed < LEAST_FAILURES or failed <= profile.failed_rate * most:
        return ""
    return f"{failed:.0f} requests failed; of the {most:.0f} that can be sent at most, {profile.failed_rate:.2%} may"

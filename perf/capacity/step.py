"""One step: calls arrive at a rate, sent by a fresh k6 and judged as a load of its own."""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from harness.collector import Run
from harness.progress import SilentProgress
from harness.targets import RunningTarget
from harness.verdict import CheckStatus
from perf.capacity.search import Outcome, Step
from perf.errors import PerfError
from perf.load.bottleneck import Bottleneck, find_bottleneck
from perf.load.job import Tool, doubt_of, endpoint_of, locate
from perf.load.judge import KINDS, judge
from perf.load.k6 import MIX, Summary, run_k6
from perf.load.model import Profile
from perf.load.sampling import Sampler, windows_of
from perf.load.watching import Watching
from perf.load.windows import Window

SLOW_SECONDS = 0.5
"""So many calls may be under way as arrive in this time: enough for a server to be too slow before k6 lacks users."""
MOST_USERS = 1000
"""Each has an interpreter of its own in k6."""
HEAVY_GENERATOR = 0.6
"""k6 at this part of its limit delays what it times: at 0.8 a server a third of whose core was in use looked slow."""
LEAST_BEGUN = 0.98
"""Of the calls that a step is to begin: the first and the last may fall outside of it."""
SURE = frozenset({"traffic", "content", "requests_failed"})
"""What is wrong with a server however busy generator and machine are."""


@dataclass
class Stage:
    """Where steps are made, and what was sampled in all of them on the run's one clock."""

    run: Run
    target: RunningTarget
    profile: Profile
    tool: Tool
    environ: Mapping[str, str]
    admin_token: str | None = field(repr=False)
    windows: list[Window] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    steps: int = 0

    def send(self, per_second: int) -> Step:
        """Make a step of `profile.seconds` at this rate; its own logs and figures stay in a folder of the run's."""
        self.steps += 1
        profile = profile_at(self.profile, per_second)
        folder = self.run.directory / "steps" / f"{self.steps:02}-{per_second}-per-second"
        folder.mkdir(parents=True)
        own = Run(folder, SilentProgress(), self.run.target)
        summary = None
        with Sampler(locate(self.target, self.admin_token)) as sampler:
            offset = time.monotonic() - self.began
            watching = Watching(sampler, profile, self.run.progress, f"step {self.steps}, {per_second} calls/s")
            title = f"at least {profile.minimum_answers} answers"
            with own.check("traffic", title, at_least=profile.minimum_answers) as check:
                summary = run_k6(
                    self.tool.program,
                    self.tool.script or MIX,
                    profile,
                    endpoint_of(self.target, profile),
                    directory=folder,
                    environ=self.environ,
                    watch=watching,
                )
                check.examined = summary.count("answers")
                if watching.given_up and check.examined:
                    check.fail(f"given up: {watching.given_up}")
            windows = windows_of(sampler)
        self.windows += [replace(each, at=each.at + offset) for each in windows]
        if summary is None or not summary.count("answers"):
            raise PerfError(f"at {per_second} calls/s: {own.checks[-1].reason}")
        judge(own, summary, profile)
        check_rate(own, summary, per_second * profile.seconds)
        return conclude_step(own, summary, per_second, find_bottleneck(windows, cores=os.cpu_count() or 1))


def profile_at(profile: Profile, per_second: int) -> Profile:
    """The profile as calls that arrive at this rate: without stages and pauses."""
    return profile.model_copy(
        update={
            "arrivals_per_second": float(per_second),
            "stages": (),
            "think_milliseconds": 0,
            "users": min(max(profile.users, math.ceil(per_second * SLOW_SECONDS)), MOST_USERS),
        }
    )


def check_rate(own: Run, summary: Summary, wanted: int) -> None:
    """What was not even begun says nothing of the server: less than the rate is not the rate."""
    with own.check("rate", f"{wanted} calls are begun, or dropped for want of a user") as check:
        check.examined = summary.count("iterations") + summary.count("dropped_iterations")
        if check.examined < LEAST_BEGUN * wanted:
            raise PerfError(f"k6 began {check.examined} of {wanted} calls")


def conclude_step(own: Run, summary: Summary, per_second: int, bottleneck: Bottleneck | None) -> Step:
    """What a step's checks come to. k6 can make a server look slower than it is, never quicker."""
    # k6's own thresholds say the same once more, but for too few answers, which say nothing of the server.
    checks = [each for each in own.checks if each.id != "thresholds"]
    broken = [each for each in checks if each.status is CheckStatus.FAILED]
    unknown = [each for each in checks if each.status is CheckStatus.INCONCLUSIVE]
    outcome = Outcome.BROKE if broken else Outcome.UNKNOWN if unknown else Outcome.HELD
    reason = "; ".join(f"{each.title}: {each.reason}" for each in broken or unknown)
    doubt = doubt_of(bottleneck).reason or _heavy_generator(bottleneck)
    if broken and doubt and not any(each.id in SURE for each in broken):
        outcome, reason = Outcome.UNKNOWN, doubt
    slowest = (summary.value(f"duration_{kind}", "p(95)") for kind in KINDS)
    p95 = max((each for each in slowest if each is not None), default=math.nan)
    return Step(per_second, outcome, reason, p95, bottleneck)


def _heavy_generator(bottleneck: Bottleneck | None) -> str:
    """Why k6 is likelier than the server to be what was slow, where nothing was used up; else empty."""
    if bottleneck is None or bottleneck.name != "none":
        return ""
    heavy = (each for each in bottleneck.resources if each.name == "generator" and each.saturation >= HEAVY_GENERATOR)
    return next((f"nothing was used up, and k6 was the busiest: {each.evidence}" for each in heavy), "")

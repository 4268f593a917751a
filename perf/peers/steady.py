"""Our server at a steady rate, whatever the answers take: how long they take, what could not be sent."""

import json
import statistics

from harness.collector import Run
from harness.errors import Inconclusive
from harness.record import Direction
from harness.verdict import CheckStatus
from perf.peers.arms import Arm, new_tenant_arm
from perf.peers.bars import Bars
from perf.peers.blocks import Stage, plan_for, run_generator
from perf.peers.open_loop import Steady
from perf.peers.session import UnexpectedAnswerError

CONNECTIONS = 100
"""Calls that may be under way at once; what finds none of them free is dropped."""


def measure_steady(run: Run, stage: Stage, rate: float, bars: Bars, *, judged: bool) -> None:
    """Load our server at half of `rate` (calls a second) as often as the bars say; judge the medians, or tell them."""
    half = max(round(rate / 2), 1)
    runs: list[Steady] = []
    with run.check("steady", f"at half of capacity, {half} calls/s, every answer is the one expected") as check:
        for number in range(bars.steady_runs):
            run.progress.now(f"steady load {number + 1} of {bars.steady_runs}, {half} calls/s")
            try:
                steady = load_steadily(new_tenant_arm(stage.target), half, bars.steady_seconds, stage)
            except UnexpectedAnswerError as error:
                check.fail(str(error))
                return
            check.examined += steady.answers
            check.evidence.append(
                f"{steady.answers} answers, {steady.dropped} dropped, p99 {steady.p99_milliseconds:.1f} ms, "
                f"the generator {steady.generator_share:.0%} of a processor"
            )
            runs.append(steady)
    if len(runs) < bars.steady_runs:
        return
    with run.check("steady_generator", "the generator was not the limit of the steady load") as check:
        check.examined = len(runs)
        most = max(each.generator_share for each in runs)
        if most >= bars.generator_share:
            raise Inconclusive(f"the generator used {most:.0%} of a processor: what it timed says more of itself")
    judged = judged and run.checks[-1].status is CheckStatus.PASSED
    p99, dropped = ([getattr(each, name) for each in runs] for name in ("p99_milliseconds", "dropped_share"))
    for name, statistic, unit, values, limit in (
        ("steady.duration", "p99", "ms", p99, bars.p99_milliseconds),
        ("steady.dropped", "median", "ratio", dropped, bars.dropped),
    ):
        run.measure(
            name,
            statistics.median(values),
            unit,
            statistic=statistic,
            samples=min(each.answers for each in runs),
            limit=limit if judged else None,
            direction=Direction.LOWER,
        )


def load_steadily(arm: Arm, rate: int, seconds: float, stage: Stage) -> Steady:
    """Load an arm at so many calls a second. Raises UnexpectedAnswerError, and ProcessError when it fails."""
    plan = plan_for(arm, stage, seconds, CONNECTIONS)
    return Steady(**json.loads(run_generator("perf.peers.open_loop", (plan,), arm, stage, str(rate))))

"""Our server at a steady rate that k6 keeps whatever the answers take: how long they take, what could not be sent."""

import dataclasses
import json
import os
import resource
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.collector import Run
from harness.errors import Inconclusive
from harness.process import Command, child_environment, running
from harness.record import Direction
from harness.repository import REPOSITORY
from perf.errors import PerfError
from perf.load.k6 import ALL_HELD, FLAGS, read_summary
from perf.peers.arms import Arm, new_tenant_arm
from perf.peers.bars import Bars
from perf.peers.blocks import VERSION, Stage
from perf.peers.session import UnexpectedAnswerError

SCRIPT = REPOSITORY / "perf" / "k6" / "steady.js"
USERS = 100
"""Calls that may be under way at once; what finds none of them free is dropped."""
GRACE_SECONDS = 60.0
ABORTED = 108
"""k6's exit code where the script ended it: an answer was not the one expected before the load began."""


@dataclass(frozen=True)
class Steady:
    """What a run came to: answers, how many of them were wrong, calls not sent; milliseconds; shares of a processor."""

    answers: int
    wrong: int
    dropped: int
    p99: float
    generator_share: float

    @property
    def dropped_share(self) -> float:
        """The part of all calls that could not be sent in time."""
        return self.dropped / max(self.answers + self.dropped, 1)


def measure_steady(run: Run, stage: Stage, rate: float, k6: Path, bars: Bars, *, judged: bool) -> None:
    """Load our server at half of `rate` (calls per second) as often as the bars say; judge the medians, or tell them.

    Without most of the answers there are none.
    """
    half = max(round(rate / 2), 1)
    runs: list[Steady] = []
    title = f"at half of capacity, {half} calls/s, every answer is the one expected"
    with run.check("steady", title) as check:
        for number in range(bars.steady_runs):
            run.progress.now(f"steady load {number + 1} of {bars.steady_runs}, {half} calls/s")
            directory = run.directory / f"steady-{number + 1}"
            steady = load_steadily(k6, new_tenant_arm(stage.target), half, bars.steady_seconds, stage, directory)
            check.evidence.append(
                f"{steady.answers} answers, {steady.dropped} dropped, p99 {steady.p99:.1f} ms, "
                f"k6 at most {steady.generator_share:.0%} of a processor"
            )
            check.examined += steady.answers
            if steady.wrong:
                check.fail(f"{steady.wrong} of {steady.answers} answers are not the one expected")
            if steady.answers + steady.dropped < 0.9 * half * bars.steady_seconds:
                raise Inconclusive(f"k6 began {steady.answers + steady.dropped} calls in {bars.steady_seconds} s")
            runs.append(steady)
    if len(runs) < bars.steady_runs:
        return
    samples = min(each.answers for each in runs)
    for name, unit, value, limit in (
        ("steady.duration", "ms", statistics.median(each.p99 for each in runs), bars.p99_milliseconds),
        ("steady.dropped", "ratio", statistics.median(each.dropped_share for each in runs), bars.dropped),
    ):
        statistic = "p99" if unit == "ms" else "median"
        run.measure(
            name,
            value,
            unit,
            statistic=statistic,
            samples=samples,
            limit=limit if judged else None,
            direction=Direction.LOWER,
        )


def load_steadily(k6: Path, arm: Arm, rate: int, seconds: int, stage: Stage, directory: Path) -> Steady:
    """Return what k6 saw at so many calls per second, its summary in `directory`.

    Raises UnexpectedAnswerError, and PerfError or ProcessError when it did not come to its end.
    """
    if not k6.is_file():
        raise PerfError(f"k6 is missing: {k6.name} is not in {k6.parent}; ./inv installs it with the ops extra")
    directory.mkdir(parents=True, exist_ok=True)
    summary = directory / "k6-summary.json"
    plan = {
        "url": f"http://{arm.host}:{arm.port}/mcp",
        "token": arm.token,
        "version": VERSION,
        "rate": rate,
        "seconds": seconds,
        "users": USERS,
        "calls": [dataclasses.asdict(call) for call in arm.calls],
        "summary": str(summary),
    }
    environment = child_environment({"STEADY": json.dumps(plan)}, stage.environ)
    command = Command("k6", (str(k6), "run", *FLAGS, "--address=", str(SCRIPT)), environment, REPOSITORY)
    before = _children_seconds()
    with _on_processor(stage.processor), running(command, logs=directory) as child:
        code = child.wait(seconds=seconds + GRACE_SECONDS)
        if code == ABORTED:
            raise UnexpectedAnswerError(child.failure("ended the run").args[0])
        if code != ALL_HELD:
            raise child.failure("did not come to its end")
    spent = _children_seconds() - before
    seen = read_summary(summary, crossed=False)
    p99 = seen.value("duration_steady", "p(99)")
    if p99 is None:
        raise PerfError("k6 had no answer to any call")
    return Steady(
        answers=seen.count("duration_steady"),
        wrong=sum(each.fails for each in seen.content),
        dropped=seen.count("dropped_iterations"),
        p99=p99,
        generator_share=spent / seconds,
    )


@contextmanager
def _on_processor(processor: int) -> Iterator[None]:
    """Keep what is started meanwhile on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {processor})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _children_seconds() -> float:
    """The processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime

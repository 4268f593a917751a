"""`./inv peers`: a cached `orders_get` on one worker with everything on, against the peers and our bare dispatcher.

All servers stay for the whole run, on one processor, the generator on another; their blocks alternate, so that what
else the machine does meets all of them.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import psutil

from harness.collector import OpenCheck, Run
from harness.record import Direction
from harness.targets import LocalTarget, start_local
from harness.targets.server import serving
from perf.errors import PerfError
from perf.peers.arms import OURS, PEER, SETTINGS, Arm, new_tenant_arm, pin
from perf.peers.bars import Bars
from perf.peers.blocks import Round, Stage, alternate
from perf.peers.counts import audit_rows
from perf.peers.judge import compare_counts, judge_rounds, median_rate
from perf.peers.noise import measure_noise
from perf.peers.plan import Call
from perf.peers.session import UnexpectedAnswerError
from perf.peers.steady import measure_steady

MEGABYTE = 1_000_000
OpenOthers = Callable[[Path, Sequence[Call]], AbstractContextManager[Sequence[Arm]]]
"""Starts what the server is compared with, given a folder for logs and the calls that each must answer alike."""


def measure_peers(
    run: Run,
    open_others: OpenOthers,
    *,
    environ: Mapping[str, str],
    python: Path | None = None,
    bars: Bars | None = None,
) -> list[Round]:
    """Compare a local target with the others, and return the rounds. Raises HarnessError when one does not start.

    `python` is the interpreter that serves the target, by default the one that runs this. A wrong answer ends the
    comparison and fails it.
    """
    bars = bars or Bars()
    ours_on, generator_on = _two_processors()
    logs = run.directory / "logs"
    run.progress.now("starting all servers")
    rounds: list[Round] = []
    with start_local(logs=logs, environ=environ, settings=SETTINGS, python=python) as target:
        run.target = target.target
        with open_others(logs, new_tenant_arm(target).calls) as others:
            for pid in {target.server.pid, *(arm.pid for arm in others)}:
                pin(pid, ours_on)
            stage = Stage(
                target, others, bars.connections, bars.warm_up_seconds, bars.seconds, generator_on, environ, logs
            )
            with run.check("answers", "every answer under load is the one expected") as check:
                _collect(run, check, stage, rounds, bars.rounds)
        if len(rounds) < bars.rounds:
            return rounds
        memory = psutil.Process(target.server.pid).memory_info().rss / MEGABYTE
        run.measure("server.memory_after_load", memory, "MB", limit=bars.memory_megabytes, direction=Direction.LOWER)
        undisturbed = judge_rounds(run, rounds, bars)
        capacity = median_rate(rounds, OURS)
        measure_steady(run, stage, capacity, bars, judged=undisturbed)
        measure_noise(run, stage, capacity, bars, processor=ours_on, python=python, judged=undisturbed)
        _measure_starts(run, target, python, bars)
        with run.check("stop", "SIGTERM stops the server with exit code 0") as check:
            code = target.server.stop()
            check.expect(code == 0, f"exit code {code}")
        with run.check("counts", "metrics, limiter and audit log count exactly the calls made") as check:
            compare_counts(
                check, [each.ours for each in rounds], audit_rows(target, "orders_get"), bars.tokens_known_within
            )
    return rounds


def _collect(run: Run, check: OpenCheck, stage: Stage, rounds: list[Round], wanted: int) -> None:
    run.progress.now(f"round 1 of {wanted}")
    try:
        for each in alternate(stage, wanted):
            rounds.append(each)
            check.examined += sum(outcome.calls for outcome in each.outcomes.values())
            so_far = median_rate(rounds, OURS) / median_rate(rounds, PEER)
            run.progress.now(f"round {len(rounds) + 1} of {wanted}, so far {so_far:.1f} times the peer")
    except UnexpectedAnswerError as error:
        check.fail(str(error))


def _measure_starts(run: Run, target: LocalTarget, python: Path | None, bars: Bars) -> None:
    """Start the server twice more: the quickest of three is the program's own time, the rest is the machine's."""
    seconds = [target.ready_seconds]
    for number in (2, 3):
        run.progress.now(f"start {number} of the server")
        logs = target.logs / f"start-{number}"
        with serving(environment=target.environment, logs=logs, python=python) as served:
            seconds.append(served.ready_seconds)
    run.measure(
        "server.ready",
        min(seconds),
        "s",
        statistic="lowest",
        samples=len(seconds),
        limit=bars.ready_seconds,
        direction=Direction.LOWER,
    )


def _two_processors() -> tuple[int, int]:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise PerfError("needs two processors: one for the servers, one for the generator")
    return processors[0], processors[-1]

"""`./inv peers`: a cached `orders_get` on one worker with everything on, against FastMCP's default server.

Both servers stay for the whole run, on one processor, the generator on another; their blocks alternate, so that what
else the machine does meets both.
"""

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.record import Direction
from harness.targets import LocalTarget, start_local
from harness.targets.server import serving
from perf.errors import PerfError
from perf.peers.arms import SETTINGS, Arm, pin
from perf.peers.blocks import Counted, Pair, Stage, alternate
from perf.peers.counts import audit_rows, tokens_spent
from perf.peers.plan import Outcome
from perf.peers.session import UnexpectedAnswerError

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Bars:
    """What must hold, and how it is measured.

    A generator beyond its share makes the run inconclusive, not failed; so do tokens that are known less exactly.
    """

    ratio: float = 8.0
    generator_share: float = 0.7
    tokens_known_within: float = 0.02
    memory_megabytes: float = 120.0
    ready_seconds: float = 2.0
    pairs: int = 6
    connections: int = 16
    warm_up_seconds: float = 1.0
    seconds: float = 3.0


def measure_peers(
    run: Run,
    open_peer: Callable[[Path], AbstractContextManager[Arm]],
    *,
    environ: Mapping[str, str],
    python: Path | None = None,
    bars: Bars | None = None,
) -> None:
    """Compare a local target with the peer that `open_peer(logs)` opens. Raises HarnessError when one does not start.

    `python` is the interpreter that serves the target, by default the one that runs this. A wrong answer ends the
    comparison and fails it.
    """
    bars = bars or Bars()
    ours_on, generator_on = _two_processors()
    logs = run.directory / "logs"
    run.progress.now("starting both servers")
    pairs: list[Pair] = []
    with (
        open_peer(logs) as peer,
        start_local(logs=logs, environ=environ, settings=SETTINGS, python=python) as target,
    ):
        run.target = target.target
        for pid in (target.server.pid, peer.pid):
            pin(pid, ours_on)
        stage = Stage(target, peer, bars.connections, bars.warm_up_seconds, bars.seconds, generator_on, environ, logs)
        with run.check("answers", "every answer under load is the one expected") as check:
            _collect(run, check, stage, pairs, bars.pairs)
        if len(pairs) < bars.pairs:
            return
        memory = psutil.Process(target.server.pid).memory_info().rss / MEGABYTE
        run.measure("server.memory_after_load", memory, "MB", limit=bars.memory_megabytes, direction=Direction.LOWER)
        _measure_starts(run, target, python, bars)
        with run.check("stop", "SIGTERM stops the server with exit code 0") as check:
            code = target.server.stop()
            check.expect(code == 0, f"exit code {code}")
        with run.check("counts", "metrics, limiter and audit log count exactly the calls made") as check:
            compare_counts(
                check, [pair.ours for pair in pairs], audit_rows(target, "orders_get"), bars.tokens_known_within
            )
    judge_pairs(run, pairs, bars)


def compare_counts(
    check: OpenCheck,
    blocks: Sequence[Counted],
    audited: Mapping[str, int],
    known_within: float = Bars.tokens_known_within,
) -> None:
    """Fail the check where a block's calls differ from what metrics, limiter or audit log (rows by tenant) say.

    Raises Inconclusive when the tokens spent are not known to within this share of them.
    """
    for block in blocks:
        made = block.outcome.calls
        counted = round(block.after.calls - block.before.calls)
        check.expect(counted == made, f"mcp_tool_calls_total grew by {counted} for {made} calls")
        limited = block.outcome.limited
        least, most = tokens_spent(block.before, block.after)
        if most - least > known_within * limited:
            raise Inconclusive(f"the limiter spent {least:.1f} to {most:.1f} tokens: not known exactly enough")
        check.expect(least <= limited <= most, f"the limiter spent {least:.1f} to {most:.1f} tokens for {limited}")
        rows = audited.get(block.tenant_id, 0)
        check.expect(rows == block.audited, f"the audit log has {rows} rows for {block.audited} calls")
        check.evidence.append(
            f"{made} calls: counter {counted}, tokens {least:.2f} to {most:.2f} for {limited} limited requests; "
            f"in all {block.audited} calls: {rows} audit rows"
        )


def _collect(run: Run, check: OpenCheck, stage: Stage, pairs: list[Pair], wanted: int) -> None:
    run.progress.now(f"pair 1 of {wanted}")
    try:
        for pair in alternate(stage, wanted):
            pairs.append(pair)
            check.examined += pair.ours.outcome.calls + pair.peer.calls
            median = statistics.median(each.ratio for each in pairs)
            run.progress.now(f"pair {len(pairs) + 1} of {wanted}, so far {median:.1f} times the peer")
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


def judge_pairs(run: Run, pairs: Sequence[Pair], bars: Bars) -> None:
    """Add what the pairs measured: rates, shares of a processor, the ratio with its spread, and whether it holds."""
    ours, peer = [pair.ours.outcome for pair in pairs], [pair.peer for pair in pairs]
    with run.check("generator", f"the generator uses less than {bars.generator_share:.0%} of a processor") as check:
        shares = [outcome.generator_share for outcome in (*ours, *peer)]
        check.examined = len(shares)
        check.evidence.append(f"at most {max(shares):.1%}")
        if max(shares) >= bars.generator_share:
            raise Inconclusive(f"the generator used {max(shares):.0%} of a processor: it may have been the limit")
    for name, outcomes in (("server", ours), ("peer", peer)):
        _measure_arm(run, name, outcomes)
    ratios = [pair.ratio for pair in pairs]
    for statistic, value in (("lowest", min(ratios)), ("highest", max(ratios))):
        run.measure("peers.ratio", value, "times", statistic=statistic, samples=len(ratios))
    per_processor_second = _per_processor_second(ours) / _per_processor_second(peer)
    run.measure("peers.processor_time_ratio", per_processor_second, "times", samples=len(ratios))
    run.measure(
        "peers.ratio",
        statistics.median(ratios),
        "times",
        statistic="median",
        samples=len(ratios),
        limit=bars.ratio,
        direction=Direction.HIGHER,
    )


def _measure_arm(run: Run, name: str, outcomes: Sequence[Outcome]) -> None:
    labels = {"server": name}
    calls = sum(outcome.loop_calls for outcome in outcomes)
    rate = calls / sum(outcome.seconds for outcome in outcomes)
    run.measure("calls_per_second", rate, "1/s", statistic="mean", samples=calls, labels=labels)
    share = statistics.mean(outcome.server_share for outcome in outcomes)
    run.measure("processor_share", share, "processors", statistic="mean", samples=len(outcomes), labels=labels)
    generator = max(outcome.generator_share for outcome in outcomes)
    run.measure("generator_share", generator, "processors", statistic="highest", samples=len(outcomes), labels=labels)


def _per_processor_second(outcomes: Sequence[Outcome]) -> float:
    """Calls per second of the server's processor time: what neighbours on the machine change least."""
    return sum(outcome.loop_calls for outcome in outcomes) / sum(outcome.server_seconds for outcome in outcomes)


def _two_processors() -> tuple[int, int]:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise PerfError("needs two processors: one for the servers, one for the generator")
    return processors[0], processors[-1]

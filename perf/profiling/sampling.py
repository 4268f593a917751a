"""A local server under load, its stacks looked at meanwhile: a flame graph, and the functions that cost most.

The load is k6's, reads alone, sent without pause to a server whose cache keeps everything: what is left is what every
call pays.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.background import in_background
from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.targets import LocalTarget
from perf.exposition import scrape
from perf.load.k6 import MIX, Summary, run_k6
from perf.load.model import Profile
from perf.profiling.model import SamplingTable
from perf.profiling.spy import Look, Taken, record, require
from perf.profiling.stacks import Frame, by_total, frames, parse

# Nothing expires and nobody is refused while it is looked at.
SETTINGS: Final = {
    "RATE_LIMIT_RPM": "1000000",
    "CACHE_TTL_ORDERS_SECONDS": "3600",
    "CACHE_TTL_PRODUCTS_SECONDS": "3600",
    "CACHE_TTL_LISTS_SECONDS": "3600",
}
STACKS: Final = "stacks.txt"
FLAME_GRAPH: Final = "flame-graph.svg"
PACKAGE: Final = "server"
EVERY_CALL: Final = "Registry.call (server/tools/registry.py"
"""The start of the frame that every tool call goes through: a profile without it is not one of this load."""
WARM_CALLS: Final = 200
START_SECONDS: Final = 60.0
SPARE_SECONDS: Final = 5
"""k6 goes on for so much longer than is looked at: what starts slowly must not look at an idle server."""
POLL_SECONDS: Final = 0.1
MOST_ERRORS: Final = 0.1
SHOWN: Final = 15


@dataclass(frozen=True)
class Programs:
    """Where k6 and py-spy are."""

    k6: Path
    py_spy: Path


def sample_under_load(
    run: Run, target: LocalTarget, table: SamplingTable, programs: Programs, environ: Mapping[str, str]
) -> None:
    """Load the server, look at it, and say what was seen. What could not be seen is inconclusive."""
    title = f"py-spy sees the server at work, at least {table.minimum_samples} times"
    look = Look(target.server.pid, table.seconds, table.rate)
    logs, load = run.directory / "logs", None
    with run.check("stacks", title, tool="py-spy", at_least=table.minimum_samples) as check:
        require(programs.py_spy)
        load = _load(run, target, table, programs, environ)
        _wait_for_traffic(target, load)
        stacks = run.artifact_path(STACKS)
        taken = record(programs.py_spy, look, stacks, "raw", logs=logs, environ=environ)
        judge_stacks(run, check, stacks.read_text("utf-8"), taken)
    if load is None:
        return
    with run.check("flame_graph", "A second look, of the same load, is drawn as a flame graph", tool="py-spy") as check:
        if load.done():
            raise Inconclusive("there was no load any more to look at")
        graph = run.artifact_path(FLAME_GRAPH)
        taken = record(programs.py_spy, look, graph, "flamegraph", logs=logs, environ=environ)
        judge_graph(check, graph.read_text("utf-8"), taken, table.minimum_samples)
    title = f"k6's answers are the ones expected, {table.cached_share:.0%} of them from the cache"
    with run.check("traffic", title, tool="k6") as check:
        judge_traffic(check, load.result(), table)


def judge_stacks(run: Run, check: OpenCheck, text: str, taken: Taken) -> None:
    """Say which functions cost most, from collapsed stacks. Raises Inconclusive where they are not the server's."""
    stacks = parse(text)
    check.examined = sum(stacks.values())
    check.evidence.append(
        f"{check.examined} stacks at work, in {taken.looks} looks that found one; {taken.errors} failed"
    )
    _refuse_errors(taken)
    found = frames(stacks)
    if not any(frame.name.startswith(EVERY_CALL) for frame in found):
        raise Inconclusive("the function that runs every tool was never seen: this is no profile of the load")
    check.evidence.extend(f"itself {frame.own:.1%}, in all {frame.total:.1%}: {frame.name}" for frame in found[:SHOWN])
    check.evidence.extend(
        f"in all {frame.total:.1%}, itself {frame.own:.1%}: {frame.name}" for frame in by_total(found, PACKAGE)[:SHOWN]
    )
    for frame in found[:SHOWN]:
        _measure(run, frame, check.examined)


def judge_graph(check: OpenCheck, text: str, taken: Taken, minimum: int) -> None:
    """Say whether a flame graph stands on enough, and shows the server."""
    check.examined = taken.looks
    check.evidence.append(f"{FLAME_GRAPH}: {taken.looks} looks, {taken.errors} failed; any browser shows it")
    _refuse_errors(taken)
    if taken.looks < minimum:
        raise Inconclusive(f"stands on {taken.looks} looks, {minimum} needed: raise [profile.sampling] seconds or rate")
    if "<svg" not in text or EVERY_CALL not in text:
        raise Inconclusive("the function that runs every tool is not in the graph: this is no profile of the load")


def _measure(run: Run, frame: Frame, samples: int) -> None:
    for name, share in (("frame_itself", frame.own), ("frame_in_all", frame.total)):
        run.measure(name, share, "ratio", samples=samples, labels={"frame": frame.name})


def _refuse_errors(taken: Taken) -> None:
    if taken.errors > MOST_ERRORS * (taken.looks + taken.errors):
        raise Inconclusive(f"{taken.errors} looks beside {taken.looks} failed: what was seen is not the whole")


def _load(
    run: Run, target: LocalTarget, table: SamplingTable, programs: Programs, environ: Mapping[str, str]
) -> "Future[Summary]":
    seconds = 2 * table.seconds + SPARE_SECONDS
    profile = Profile(users=table.users, seconds=seconds, minimum_answers=WARM_CALLS)
    endpoint: dict[str, Any] = {"url": target.url, "token": target.token, "store": target.store}
    return in_background(lambda: run_k6(programs.k6, MIX, profile, endpoint, directory=run.directory, environ=environ))


def _wait_for_traffic(target: LocalTarget, load: "Future[Summary]") -> None:
    deadline, before = time.monotonic() + START_SECONDS, _calls(target)
    while not load.done():
        if _calls(target) - before >= WARM_CALLS:
            return
        if time.monotonic() > deadline:
            raise Inconclusive(f"the server did not get {WARM_CALLS} calls within {START_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
    load.result()  # raises why
    raise Inconclusive(f"k6 ended before the server had got {WARM_CALLS} calls")


def _calls(target: LocalTarget) -> float:
    return scrape(target).total("mcp_tool_calls_total")


def judge_traffic(check: OpenCheck, summary: Summary, table: SamplingTable) -> None:
    """Say what the load came to. Raises Inconclusive where it was not the one that was to be profiled."""
    answers, cached = summary.count("answers"), summary.count("duration_cached_read")
    check.examined = answers
    check.evidence.append(f"{answers} answers, {cached} of them from the cache")
    wrong = [f"{each.name}: {each.fails}" for each in summary.content if each.fails]
    if wrong or summary.crossed:
        raise Inconclusive(f"not every answer was the one expected: {'; '.join(wrong) or 'see logs/k6.stderr.log'}")
    if cached < table.cached_share * answers:
        raise Inconclusive(f"{cached} of {answers} answers came from the cache: this is another path")

"""The verdict on what was answered: never older than its time, never behind a write of our own, and what it cost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from harness.collector import Run
from harness.connections import certificates
from harness.errors import Inconclusive
from harness.sandbox.bucket import BucketSettings
from harness.targets import LocalTarget
from perf.caching.costs import Costs, costs_of, refused_by_bucket
from perf.caching.model import CacheTable
from perf.caching.questions import READINGS, TTL_SETTINGS
from perf.caching.traffic import Arm
from perf.caching.truth import History, Judged
from perf.errors import PerfError

ALL: Final = "all reads"
SHOWN: Final = 5
REFILL_PER_SECOND: Final = BucketSettings().refill_per_second
"""What OrderDesk grants an account."""


@dataclass(frozen=True)
class Seen:
    """A server's answers held against the truth, after the warm-up and before it, and what they cost after it."""

    arm: str
    ttls: Mapping[str, float]
    judged: Sequence[Judged]
    slowest: float
    """The longest that an answer took, in seconds."""
    changes: int
    costs: Mapping[str, Costs]
    upstream_per_second: float
    refused_share: float

    def limit(self, each: Judged) -> float:
        """How old an answer may be. One that was read for the asker may have changed while it was on its way."""
        ttl = self.ttls[each.answer.question.reading.kind]
        return ttl if each.answer.cached else ttl + self.slowest


def look(arm: Arm, table: CacheTable, began: float) -> Seen:
    """Hold all that a server answered against its sandbox's journal. Raises HarnessError's kinds."""
    ttls = ttls_in_force(arm.target)
    journal = arm.journal()
    history = History(arm.initial, journal)
    judged = [
        history.judge(answer, arm.acknowledged, ttls[answer.question.reading.kind])
        for answer in sorted(arm.answers, key=lambda answer: answer.began)
    ]
    start = began + table.warm_up_seconds
    measured = [each for each in judged if each.answer.began >= start]
    of_tool = {tool: [each for each in measured if each.answer.question.tool == tool] for tool in READINGS}
    costs = {tool: costs_of(of_tool[tool], journal) for tool in READINGS}
    ours = [entry for entry in journal if entry["request_id"] is not None and entry["monotonic"] >= start]
    return Seen(
        arm.name,
        ttls,
        judged,
        max((each.answer.ended - each.answer.began for each in judged), default=0.0),
        len(history),
        {**costs, ALL: costs_of(measured, journal)},
        len(ours) / table.seconds,
        refused_by_bucket(ours) / len(ours) if ours else 0.0,
    )


def ttls_in_force(target: LocalTarget) -> dict[str, float]:
    """How old what is cached of each kind may be, as the server says itself. Raises PerfError."""
    headers = {"Authorization": f"Bearer {target.admin_token}"}
    try:
        with httpx.Client(base_url=target.base_url, trust_env=False, verify=certificates()) as http:
            said = http.get("/health/detailed", headers=headers).raise_for_status().json()
        configuration: Mapping[str, Any] = said["configuration"]
        return {kind: min(float(configuration[name]) for name in names) for kind, names in TTL_SETTINGS.items()}
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise PerfError(f"the server does not tell its times to live: {error}") from error


def judge(run: Run, arms: Sequence[Arm], table: CacheTable, began: float) -> list[Seen]:
    """Add the checks and measurements of all servers; returns what was seen, nothing where it could not be."""
    seen: list[Seen] = []
    with run.check("answers", f"Every tool that reads answers {table.minimum_answers} times on every server") as check:
        seen = [look(arm, table, began) for arm in arms]
        for arm in arms:
            check.evidence.extend(f"{arm.name}: {trouble}" for trouble in arm.troubles[:SHOWN])
        fewest, where = min((of.answers, f"{tool} at {each.arm}") for each in seen for tool, of in each.costs.items())
        check.examined = sum(each.costs[ALL].answers for each in seen)
        if troubles := sum(len(arm.troubles) for arm in arms):
            raise Inconclusive(f"{troubles} steps went wrong")
        if unasked := sorted(arms[0].cached_tools() - set(READINGS)):
            raise Inconclusive(f"there is no question for {', '.join(unasked)}")
        if fewest < table.minimum_answers:
            raise Inconclusive(f"{where} was answered {fewest} times, {table.minimum_answers} needed: measure longer")
    if seen:
        judge_seen(run, seen)
    return seen


def judge_seen(run: Run, seen: Sequence[Seen]) -> None:
    """Add the checks and measurements of what was seen of all servers."""
    with run.check("age", "No answer is older than its time to live") as check:
        check.examined = sum(len(each.judged) for each in seen)
        for each in seen:
            told = each.costs[ALL]
            check.evidence.append(
                f"{each.arm}: {each.changes} changes; {len(told.ages)} of {told.answers} answers stale, "
                f"the oldest by {told.age(1):.2f} s; an answer took {each.slowest:.2f} s at most"
            )
            for found in [one for one in each.judged if not one.age <= each.limit(one)]:
                check.fail(_too_old(each, found))
        if not any(each.costs[ALL].ages for each in seen):
            raise Inconclusive("nothing that was cached was changed by somebody else: no answer was stale")
    with run.check("own_writes", "What this server has written is in every later answer") as check:
        for each in seen:
            check.examined += sum(one.tested for one in each.judged)
            for found in [one for one in each.judged if one.overlooked]:
                check.fail(f"{each.arm}: {_name(found)} answered what a write before it had replaced")
    for each in seen:
        _measure(run, each)


def _too_old(seen: Seen, found: Judged) -> str:
    if math.isnan(found.age):
        return f"{seen.arm}: {_name(found)} answered what was never true until then"
    return (
        f"{seen.arm}: {_name(found)} answered what was true {found.age:.2f} s before, {seen.limit(found):.2f} allowed"
    )


def _name(found: Judged) -> str:
    asked = found.answer.question
    return f"{asked.tool} {asked.arguments}"


def _measure(run: Run, seen: Seen) -> None:
    for tool, costs in seen.costs.items():
        labels = {"tool": tool, "seconds_to_live": seen.arm}
        run.measure("hit_rate", costs.hit_rate, "ratio", samples=costs.answers, labels=labels)
        run.measure("upstream_calls", costs.upstream_per_answer, "calls", samples=costs.answers, labels=labels)
        run.measure("stale_share", costs.stale_share, "ratio", samples=costs.answers, labels=labels)
        for statistic, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0)) if costs.ages else ():
            stale = len(costs.ages)
            run.measure("stale_age", costs.age(share), "s", statistic=statistic, samples=stale, labels=labels)
    labels = {"seconds_to_live": seen.arm}
    run.measure("upstream_rate", seen.upstream_per_second, "1/s", labels=labels)
    run.measure("bucket_refused", seen.refused_share, "ratio", labels=labels)


def table_of(seen: Sequence[Seen]) -> str:
    """What each tool's cache came to, a row for each time to live; then what each server asked of OrderDesk."""
    header = (
        f"{'tool':<18}{'to live':>9}{'answers':>9}{'hits':>8}{'upstream':>10}{'stale':>8}"
        f"{'age p50':>9}{'p95':>8}{'max':>8}"
    )
    lines = [header]
    for tool in (*READINGS, ALL):
        for each in seen:
            costs = each.costs[tool]
            lines.append(
                f"{tool:<18}{each.arm:>9}{costs.answers:>9}{costs.hit_rate:>8.1%}{costs.upstream_per_answer:>10.2f}"
                f"{costs.stale_share:>8.1%}{costs.age(0.5):>8.2f}s{costs.age(0.95):>7.2f}s{costs.age(1):>7.2f}s"
            )
    lines += ["", f"{'to live':<9}{'calls of OrderDesk/s':>22}{'of its rate':>12}{'its bucket would refuse':>25}"]
    lines += [
        f"{each.arm:<9}{each.upstream_per_second:>22.2f}{each.upstream_per_second / REFILL_PER_SECOND:>12.0%}"
        f"{each.refused_share:>25.1%}"
        for each in seen
    ]
    return "\n".join(lines)

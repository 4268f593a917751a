"""From what k6 saw to a verdict: too little traffic is inconclusive, whatever the rates say."""

import math
from dataclasses import dataclass
from typing import get_args

from harness.collector import Run
from harness.record import Check, Direction
from harness.verdict import CheckStatus
from perf.errors import PerfError
from perf.load.k6 import Summary
from perf.load.model import Kind, Profile

OF_AN_ANSWER = " answers what it must"
"""How k6's checks of answers' contents end (perf/k6/measures.js); of what else it checks, nothing may go wrong."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Doubt:
    """Why durations say little of the server: of any (k6 was the limit), or of slow ones (others used the machine)."""

    reason: str = ""
    also_of_good_ones: bool = False


def judge(run: Run, summary: Summary, profile: Profile, *, doubt: Doubt = Doubt()) -> None:
    """Add the checks and measurements of a run that had its traffic. What is in doubt is inconclusive."""
    _judge_content(run, summary, profile)
    requests = summary.count("http_reqs")
    failed = summary.value("http_req_failed", "rate")
    at_most(run, "requests_failed", failed, "ratio", samples=requests, limit=profile.failed_rate)
    seconds = profile.seconds
    run.measure("answers_per_second", summary.count("answers") / seconds, "1/s", samples=summary.count("answers"))
    if profile.arrivals_per_second is not None:
        dropped = summary.count("dropped_iterations")
        arrived = dropped + summary.count("iterations")
        rate = dropped / arrived if arrived else None
        at_most(run, "arrivals_dropped", rate, "ratio", samples=arrived, limit=profile.dropped_rate)
    _judge_durations(run, summary, profile, "duration", doubt)
    with run.check("thresholds", "k6's own thresholds held") as check:
        check.expect(not summary.crossed, "k6 says that a threshold was crossed; logs/k6.stderr.log names it")
    if profile.fault is not None:
        _judge_fault(run, summary)
        _judge_durations(run, summary, profile, "recovered", doubt)


def _judge_content(run: Run, summary: Summary, profile: Profile) -> None:
    title = f"at least {profile.passed_rate:.2%} of the answers have the right content"
    with run.check("content", title, at_least=summary.count("answers")) as check:
        answers = [each for each in summary.content if each.name.endswith(OF_AN_ANSWER)]
        passes = sum(each.passes for each in answers)
        check.examined = passes + sum(each.fails for each in answers)
        wrong = [f"{each.name}: {each.fails} did not, {each.passes} did" for each in summary.content if each.fails]
        check.evidence.extend(wrong or [f"{passes} answers"])
        beside = any(each.fails for each in summary.content if each not in answers)
        if beside or passes < profile.passed_rate * check.examined:
            check.fail("; ".join(wrong))


def _judge_durations(run: Run, summary: Summary, profile: Profile, name: str, doubt: Doubt) -> None:
    """The percentiles of every kind that was timed, and of those that have a limit though nothing was."""
    for kind in KINDS:
        samples = summary.count(f"{name}_{kind}")
        for statistic, limits in (("p95", profile.p95_milliseconds), ("p99", profile.p99_milliseconds)):
            limit = limits.get(kind)
            if limit is not None or (samples and statistic == "p95"):
                value = summary.value(f"{name}_{kind}", f"p({statistic[1:]})")
                at_most(
                    run, name, value, "ms", statistic=statistic, kind=kind, samples=samples, limit=limit, doubt=doubt
                )


def _judge_fault(run: Run, summary: Summary) -> None:
    """While OrderDesk fails, an answer is right, or says that it is not; afterwards all are right again."""
    right, honest, wrong = (summary.count(f"fault_{name}") for name in ("right", "honest", "wrong"))
    with run.check("degrades", "while OrderDesk fails, what cannot be answered says so") as check:
        check.examined = right + honest + wrong
        check.evidence.append(f"{right} answered all the same, {honest} said why not")
        if wrong:
            check.fail(f"{wrong} answers were neither right nor said what was wrong; logs/k6.stderr.log has them")
        if not honest and not wrong:
            raise PerfError("no answer shows the fault: it did not reach what was asked for")
    with run.check("recovers", "after the fault there are answers again", at_least=1) as check:
        check.examined = sum(summary.count(f"recovered_{kind}") for kind in KINDS)


def at_most(
    run: Run,
    name: str,
    value: float | None,
    unit: str,
    *,
    samples: int,
    limit: float | None,
    statistic: str = "value",
    doubt: Doubt = Doubt(),
    **labels: str,
) -> None:
    """Measure; a metric without samples is no number, which is inconclusive where there is a limit or not."""
    known = math.nan if value is None else value
    doubtful = bool(doubt.reason) and limit is not None and (doubt.also_of_good_ones or known > limit)
    told = None if doubtful and math.isfinite(known) else limit
    lower = Direction.LOWER
    run.measure(name, known, unit, statistic=statistic, samples=samples, labels=labels, limit=told, direction=lower)
    if told != limit:
        of = "".join(f" ({key} {label})" for key, label in labels.items())
        run.add_check(
            Check(
                id=run.measurements[-1].check_id,
                title=f"{name}, {statistic}{of} is at most {limit:g} {unit}",
                status=CheckStatus.INCONCLUSIVE,
                reason=f"measured {known:g} {unit}, but {doubt.reason}",
                examined=samples,
            )
        )

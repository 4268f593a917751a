"""From what k6 saw to a verdict: too little traffic is inconclusive, whatever the rates say."""

import math

from harness.collector import Run
from harness.record import Direction
from perf.load.k6 import Summary
from perf.load.model import Profile


def judge(run: Run, summary: Summary, profile: Profile) -> None:
    """Add the checks and measurements of a run that had its traffic."""
    _judge_content(run, summary, profile)
    requests = summary.count("http_reqs")
    _at_most(run, "requests_failed", summary.value("http_req_failed", "rate"), "ratio", requests, profile.failed_rate)
    seconds = profile.seconds
    run.measure("answers_per_second", summary.count("answers") / seconds, "1/s", samples=summary.count("answers"))
    for kind in ("cached_read", "uncached_read", "protocol", "update"):
        samples = summary.count(f"duration_{kind}")
        limit = profile.p95_milliseconds.get(kind)
        if samples or limit is not None:
            value = summary.value(f"duration_{kind}", "p(95)")
            _at_most(run, "duration", value, "ms", samples, limit, statistic="p95", kind=kind)
    with run.check("thresholds", "k6's own thresholds held") as check:
        check.expect(not summary.crossed, "k6 says that a threshold was crossed; logs/k6.stderr.log names it")


def _judge_content(run: Run, summary: Summary, profile: Profile) -> None:
    title = f"at least {profile.passed_rate:.2%} of the answers have the right content"
    with run.check("content", title, at_least=summary.count("answers")) as check:
        passes = sum(each.passes for each in summary.content)
        check.examined = passes + sum(each.fails for each in summary.content)
        wrong = [f"{each.name}: {each.fails} did not, {each.passes} did" for each in summary.content if each.fails]
        check.evidence.extend(wrong or [f"{passes} answers"])
        if passes < profile.passed_rate * check.examined:
            check.fail("; ".join(wrong))


def _at_most(
    run: Run, name: str, value: float | None, unit: str, samples: int, limit: float | None, **labelled: str
) -> None:
    """Measure; a metric without samples is no number, which is inconclusive where there is a limit or not."""
    statistic = labelled.pop("statistic", "value")
    run.measure(
        name,
        math.nan if value is None else value,
        unit,
        statistic=statistic,
        samples=samples,
        labels=labelled,
        limit=limit,
        direction=Direction.LOWER,
    )

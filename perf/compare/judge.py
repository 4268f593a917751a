"""From slices to checks: what a call cost on each side, the ratio of the two, and whether head became worse."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.verdict import CheckStatus
from perf.blocks import Effect, Side, by_block, effect
from perf.compare.generator import Slice
from perf.compare.model import CompareTable
from perf.loss import Limits, judge_loss, tell_effect

Arms = Mapping[Side, Sequence[Sequence[Slice]]]
"""The slices of each fresh server's load, by side, in the order they were measured in."""
GENERATOR_SHARE = 0.7
"""Of a processor; beyond it the generator may have been the limit."""
LEAST_ANSWERS = 100
"""That a p95 needs, as those of `./inv load` do; here of each server's slices together."""


@dataclass(frozen=True)
class Figure:
    """What is compared; more is worse. `of` makes it of one arm's slices, `seconds_in` turns seconds to the unit."""

    name: str
    title: str
    unit: str
    scale: float
    of: Callable[[Sequence[Slice]], float]


FIGURES = (
    Figure(
        "processor_time",
        "a call costs the server at most {limit:g} % more processor time",
        "µs",
        1e6,
        lambda arm: sum(each.server_seconds for each in arm) / sum(each.calls for each in arm),
    ),
    Figure(
        "seconds_per_call",
        "the server answers calls at most {limit:g} % more slowly",
        "µs",
        1e6,
        lambda arm: sum(each.seconds for each in arm) / sum(each.calls for each in arm),
    ),
    Figure(
        "p95",
        "the 95th percentile of an answer's time is at most {limit:g} % longer",
        "ms",
        1e3,
        lambda arm: statistics.median(each.p95_seconds for each in arm),
    ),
)


def judge_arms(run: Run, arms: Arms, table: CompareTable) -> None:
    """Add a check for each figure: worse by more than its limit, and surely worse, fails."""
    with run.check("generator", f"the generator uses less than {GENERATOR_SHARE:.0%} of a processor") as check:
        shares = [share for side in arms.values() for arm in side for share in [_generator_share(arm)]]
        check.examined = len(shares)
        if not shares:
            raise Inconclusive("nothing was measured")
        check.evidence.append(f"at most {max(shares):.0%}")
        if max(shares) >= GENERATOR_SHARE:
            raise Inconclusive(f"the generator used {max(shares):.0%} of a processor: it may have been the limit")
    if run.checks[-1].status is not CheckStatus.PASSED:
        return
    for figure in FIGURES:
        limits: Limits = getattr(table, figure.name)
        with run.check(figure.name, figure.title.format(limit=limits.slower_percent)) as check:
            _judge(run, check, figure, limits, arms)


def _judge(run: Run, check: OpenCheck, figure: Figure, limits: Limits, arms: Arms) -> None:
    figures: dict[Side, list[float]] = {side: [figure.of(arm) for arm in arms[side]] for side in ("base", "head")}
    found = effect(
        by_block(figures["base"], statistics.geometric_mean),
        by_block(figures["head"], statistics.geometric_mean),
        comparisons=len(FIGURES),
    )
    check.examined = sum(each.calls for side in arms.values() for arm in side for each in arm)
    _tell(run, check, figure, figures, found)
    fewest = min(sum(each.calls for each in arm) for side in arms.values() for arm in side)
    if figure.name == "p95" and fewest < LEAST_ANSWERS:
        raise Inconclusive(
            f"a server gave {fewest} answers, {LEAST_ANSWERS} are needed: raise seconds in ops.toml's [load.compare]"
        )
    judge_loss(check, found, limits, table="load.compare")


def _tell(run: Run, check: OpenCheck, figure: Figure, figures: Mapping[Side, Sequence[float]], found: Effect) -> None:
    for side, values in figures.items():
        mean = statistics.geometric_mean(values) * figure.scale
        labels: dict[str, str] = {"revision": side}
        run.measure(f"compare.{figure.name}", mean, figure.unit, statistic="mean", samples=len(values), labels=labels)
    means = [f"{statistics.geometric_mean(figures[side]) * figure.scale:.4g}" for side in ("base", "head")]
    before = f"base {means[0]} {figure.unit}, head {means[1]} {figure.unit}: "
    tell_effect(run, check, "compare.ratio", found, before=before, figure=figure.name)


def _generator_share(arm: Sequence[Slice]) -> float:
    return sum(each.generator_seconds for each in arm) / sum(each.seconds for each in arm)

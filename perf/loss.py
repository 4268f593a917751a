"""Whether head lost against base: one effect judged by its limits, and told with what could have been seen."""

from typing import Annotated

from pydantic import Field

from harness.collector import OpenCheck, Run
from harness.config import Table
from harness.errors import Inconclusive
from perf.blocks import Effect

Percent = Annotated[float, Field(gt=0, le=1_000)]


class Limits(Table):
    """When a revision is worse, and when nothing can be said."""

    slower_percent: Percent
    """A head worse by more fails, where the interval leaves out that it is not worse at all."""
    visible_percent: Percent
    """A figure too noisy for a loss of this to be seen is inconclusive."""


def judge_loss(check: OpenCheck, found: Effect, limits: Limits, *, table: str) -> None:
    """Fail where head is worse by more than its limit, and surely worse; `table` is ops.toml's for it.

    Raises Inconclusive where it is worse and not surely, or where a loss could not have been seen.
    """
    if found.exceeds(limits.slower_percent):
        check.fail(f"head takes {found.ratio:.2f} times as much ({found.low:.2f} to {found.high:.2f})")
    elif found.smallest > 1 + limits.visible_percent / 100 and found.high > 1 + limits.slower_percent / 100:
        raise Inconclusive(
            f"too noisy: a loss below {found.smallest - 1:.0%} would not have been seen; "
            f"quieten the machine, or raise blocks in ops.toml's [{table}]"
        )
    elif found.ratio > 1 + limits.slower_percent / 100:
        raise Inconclusive(
            f"head takes {found.ratio:.2f} times as much, but not surely ({found.low:.2f} to {found.high:.2f}); "
            f"quieten the machine, or raise blocks in ops.toml's [{table}]"
        )


def tell_effect(run: Run, check: OpenCheck, name: str, found: Effect, *, before: str = "", **labels: str) -> None:
    """Add the effect to the check's evidence, after what comes `before` it, and to the measurements as NAME."""
    check.evidence.append(
        f"{before}{found.ratio:.3f} times base ({found.low:.3f} to {found.high:.3f}) in {found.blocks} blocks; "
        f"the smallest loss that could have been seen is {found.smallest - 1:.1%}"
    )
    for statistic, value in (
        ("mean", found.ratio),
        ("low", found.low),
        ("high", found.high),
        ("smallest_visible", found.smallest),
    ):
        run.measure(name, value, "times", statistic=statistic, samples=found.blocks, labels=labels)

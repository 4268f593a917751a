"""One effect and its limits: lost, not lost, or not to be told."""

from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.blocks import Effect
from perf.loss import Limits, judge_loss

LIMITS = Limits(slower_percent=10, visible_percent=30)


@pytest.mark.parametrize(
    ("found", "status"),
    [
        (Effect(1.2, 1.05, 1.4, 1.2, 6), CheckStatus.FAILED),
        (Effect(1.2, 0.99, 1.45, 1.29, 6), CheckStatus.INCONCLUSIVE),  # beyond the limit, and not surely
        (Effect(1.0, 0.7, 1.4, 1.5, 6), CheckStatus.INCONCLUSIVE),  # a loss would not have been seen
        (Effect(1.05, 1.01, 1.09, 1.05, 6), CheckStatus.PASSED),
        (Effect(0.5, 0.3, 0.8, 1.5, 6), CheckStatus.PASSED),  # a gain that noise cannot hide
    ],
)
def test_an_effect_is_judged_by_its_size_and_by_what_is_sure(
    tmp_path: Path, found: Effect, status: CheckStatus
) -> None:
    run = Run(tmp_path, SilentProgress())
    with run.check("loss", "head is no slower") as check:
        check.examined = 1
        judge_loss(check, found, LIMITS, table="bench")

    assert run.checks[0].status is status

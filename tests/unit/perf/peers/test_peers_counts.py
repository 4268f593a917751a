"""The counts that metrics, limiter and audit log must agree on, and what each disagreement comes to."""

import dataclasses
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.peers.arms import REFILL_PER_SECOND, RESERVE
from perf.peers.blocks import Counted
from perf.peers.counts import Reading, tokens_spent
from perf.peers.judge import compare_counts
from perf.peers.plan import Outcome

OUTCOME = Outcome(calls=1000, limited=1016, loop_calls=984, seconds=3.0, generator_seconds=0.3, server_seconds=2.9)
BEFORE = Reading(calls=50.0, tokens=40_000.0, earliest=100.0, latest=100.0002)
# Meanwhile tokens came in for 3 seconds; the load took 1,016.
AFTER = Reading(calls=1050.0, tokens=40_000 + 3 * REFILL_PER_SECOND - 1_016, earliest=103.0, latest=103.0002)
BLOCK = Counted("t_1", OUTCOME, BEFORE, AFTER, audited=1500)


def compare(tmp_path: Path, block: Counted, rows: int = 1500) -> tuple[CheckStatus, str]:
    run = Run(tmp_path, SilentProgress())
    with run.check("counts", "counts agree") as check:
        compare_counts(check, [block], {"t_1": rows, "t_2": 7})
    return run.checks[0].status, run.checks[0].reason


def test_tokens_spent_are_what_is_gone_and_what_came_in_meanwhile() -> None:
    least, most = tokens_spent(BEFORE, AFTER)

    assert least == pytest.approx(1_016 - 0.0002 * REFILL_PER_SECOND)
    assert most == pytest.approx(1_016 + 0.0002 * REFILL_PER_SECOND)


def test_counts_that_agree_pass(tmp_path: Path) -> None:
    assert compare(tmp_path, BLOCK)[0] is CheckStatus.PASSED


@pytest.mark.parametrize("difference", [-1, 1])
def test_one_audit_row_too_few_or_too_many_fails(tmp_path: Path, difference: int) -> None:
    status, reason = compare(tmp_path, BLOCK, rows=1500 + difference)

    assert status is CheckStatus.FAILED
    assert f"the audit log has {1500 + difference} rows for 1500 calls" in reason


@pytest.mark.parametrize("difference", [-1, 1])
def test_one_call_too_few_or_too_many_in_the_metrics_fails(tmp_path: Path, difference: int) -> None:
    after = dataclasses.replace(AFTER, calls=AFTER.calls + difference)

    assert compare(tmp_path, dataclasses.replace(BLOCK, after=after))[0] is CheckStatus.FAILED


@pytest.mark.parametrize("difference", [-1, 1])
def test_one_token_too_few_or_too_many_fails(tmp_path: Path, difference: int) -> None:
    after = dataclasses.replace(AFTER, tokens=AFTER.tokens + difference)

    assert compare(tmp_path, dataclasses.replace(BLOCK, after=after))[0] is CheckStatus.FAILED


def test_tokens_that_are_not_known_to_within_two_percent_are_inconclusive(tmp_path: Path) -> None:
    after = dataclasses.replace(AFTER, latest=103.06)

    assert compare(tmp_path, dataclasses.replace(BLOCK, after=after))[0] is CheckStatus.INCONCLUSIVE


@pytest.mark.parametrize("missing", [0, 1, 3 * REFILL_PER_SECOND])
def test_a_bucket_that_may_have_been_full_is_inconclusive(tmp_path: Path, missing: float) -> None:
    before = dataclasses.replace(BEFORE, tokens=RESERVE - missing)

    assert compare(tmp_path, dataclasses.replace(BLOCK, before=before))[0] is CheckStatus.INCONCLUSIVE


def test_a_bucket_that_cannot_have_been_full_is_counted(tmp_path: Path) -> None:
    began = RESERVE - 3 * REFILL_PER_SECOND - 1
    before = dataclasses.replace(BEFORE, tokens=began)
    after = dataclasses.replace(AFTER, tokens=began + 3 * REFILL_PER_SECOND - 1_016)

    assert compare(tmp_path, dataclasses.replace(BLOCK, before=before, after=after))[0] is CheckStatus.PASSED


def test_a_tenant_without_audit_rows_fails(tmp_path: Path) -> None:
    assert compare(tmp_path, dataclasses.replace(BLOCK, tenant_id="t_3"))[0] is CheckStatus.FAILED

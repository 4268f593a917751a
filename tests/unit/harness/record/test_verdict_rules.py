"""The verdict rules, alone: which status wins, and which exit code it has."""

import itertools
import signal

import pytest

from harness.verdict import CheckStatus, Status, exit_code, exit_codes, judge

P, F, I = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.INCONCLUSIVE  # noqa: E741
N, S, W = CheckStatus.NOT_APPLICABLE, CheckStatus.SKIPPED, CheckStatus.WAIVED


def verdict_on(*statuses: CheckStatus, allowed: tuple[str, ...] = ()) -> Status:
    return judge([(f"check-{number}", status) for number, status in enumerate(statuses)], allowed)


@pytest.mark.parametrize("others", list(itertools.combinations_with_replacement(CheckStatus, 2)))
def test_one_failure_wins_over_everything(others: tuple[CheckStatus, ...]) -> None:
    assert verdict_on(*others, F) is Status.FAILED


@pytest.mark.parametrize("others", list(itertools.combinations_with_replacement([P, N, S, W, I], 2)))
def test_inconclusive_wins_over_passed(others: tuple[CheckStatus, ...]) -> None:
    assert verdict_on(*others, I) is Status.INCONCLUSIVE


@pytest.mark.parametrize("status", [N, S, W])
def test_what_is_not_applicable_skipped_or_waived_does_not_spoil_a_pass(status: CheckStatus) -> None:
    assert verdict_on(P, status) is Status.PASSED


@pytest.mark.parametrize("statuses", [(), (N,), (S,), (S, S), (N, S)])
def test_without_one_answer_nothing_was_shown(statuses: tuple[CheckStatus, ...]) -> None:
    assert verdict_on(*statuses) is Status.INCONCLUSIVE


@pytest.mark.parametrize("others", [(), (S,), (N, S)])
def test_what_was_waived_was_measured_and_accepted_and_so_is_an_answer(others: tuple[CheckStatus, ...]) -> None:
    assert verdict_on(W, *others) is Status.PASSED


def test_an_allowed_inconclusive_check_does_not_count() -> None:
    assert verdict_on(P, I, allowed=("check-1",)) is Status.PASSED


def test_allowing_one_inconclusive_check_allows_no_other() -> None:
    assert verdict_on(P, I, I, allowed=("check-1",)) is Status.INCONCLUSIVE


def test_a_failure_cannot_be_allowed() -> None:
    assert verdict_on(P, F, allowed=("check-1",)) is Status.FAILED


def test_an_allowed_inconclusive_check_alone_is_no_pass() -> None:
    assert verdict_on(I, allowed=("check-0",)) is Status.INCONCLUSIVE


def test_exit_codes_are_those_of_the_contract() -> None:
    assert exit_code(Status.PASSED) == 0
    assert exit_code(Status.FAILED) == 1
    assert exit_code(Status.INCONCLUSIVE) == 3
    assert exit_code(Status.INTERRUPTED, signal.SIGINT) == 130
    assert exit_code(Status.INTERRUPTED, signal.SIGTERM) == 143
    assert set(exit_codes(Status.INTERRUPTED)) == {130, 143}

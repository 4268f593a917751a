"""From k6's summary to checks: every rate needs its traffic, every limit its samples."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.sandbox.faults import ServerError
from harness.verdict import CheckStatus, Status, judge
from perf.errors import PerfError
from perf.load.judge import Doubt
from perf.load.judge import judge as judge_load
from perf.load.k6 import read_summary
from perf.load.model import FaultWindow, Profile

PROFILE = Profile(users=1, seconds=10, minimum_answers=100, p95_milliseconds={"cached_read": 50.0})


def summary_data(*, answers: int = 200, fails: int = 0, p95: float | None = 5.0) -> dict[str, Any]:
    """What k6 gives a run with so many answers, of which so many were wrong."""
    metrics: dict[str, Any] = {
        "iterations": {"values": {"count": answers}, "thresholds": {"count>=100": {"ok": True}}},
        "http_reqs": {"values": {"count": answers}},
        "answers": {"values": {"count": answers}},
        "http_req_failed": {"values": {"rate": 0.0, "passes": 0, "fails": answers}},
    }
    if p95 is not None:
        metrics["duration_cached_read"] = {"values": {"count": answers, "p(95)": p95}}
    checks = [{"name": "orders_get answers what it must", "passes": answers - fails, "fails": fails}]
    return {"metrics": metrics, "root_group": {"checks": checks}}


def verdict(tmp_path: Path, data: dict[str, Any], profile: Profile = PROFILE, *, crossed: bool = False) -> Run:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    run = Run(tmp_path, SilentProgress())
    judge_load(run, read_summary(path, crossed=crossed), profile)
    return run


def status(run: Run) -> Status:
    return judge([(check.id, check.status) for check in run.checks])


def statuses(run: Run) -> dict[str, CheckStatus]:
    return {check.id: check.status for check in run.checks}


def test_a_good_run_passes(tmp_path: Path) -> None:
    assert status(verdict(tmp_path, summary_data())) is Status.PASSED


def test_one_wrong_answer_fails_a_profile_that_allows_none(tmp_path: Path) -> None:
    run = verdict(tmp_path, summary_data(fails=1))

    assert statuses(run)["content"] is CheckStatus.FAILED
    assert "orders_get answers what it must: 1 did not" in run.checks[0].reason


def test_a_profile_may_allow_some_wrong_answers(tmp_path: Path) -> None:
    profile = PROFILE.model_copy(update={"passed_rate": 0.95})

    assert status(verdict(tmp_path, summary_data(fails=10), profile)) is Status.PASSED
    assert status(verdict(tmp_path, summary_data(fails=11), profile)) is Status.FAILED


def test_answers_that_nobody_looked_at_are_inconclusive(tmp_path: Path) -> None:
    data = summary_data()
    data["root_group"]["checks"][0]["passes"] = 150

    assert statuses(verdict(tmp_path, data))["content"] is CheckStatus.INCONCLUSIVE


def test_a_limit_on_a_duration_without_samples_is_inconclusive(tmp_path: Path) -> None:
    run = verdict(tmp_path, summary_data(p95=None))

    assert statuses(run)["duration.p95.kind=cached_read"] is CheckStatus.INCONCLUSIVE
    assert status(run) is Status.INCONCLUSIVE


def test_a_percentile_of_few_samples_is_inconclusive(tmp_path: Path) -> None:
    data = summary_data()
    data["metrics"]["duration_cached_read"]["values"]["count"] = 99

    assert statuses(verdict(tmp_path, data))["duration.p95.kind=cached_read"] is CheckStatus.INCONCLUSIVE


def test_a_duration_beyond_its_limit_fails(tmp_path: Path) -> None:
    assert status(verdict(tmp_path, summary_data(p95=50.1))) is Status.FAILED


def test_failed_requests_beyond_the_limit_fail(tmp_path: Path) -> None:
    data = summary_data()
    data["metrics"]["http_req_failed"]["values"]["rate"] = 0.01

    assert statuses(verdict(tmp_path, data))["requests_failed"] is CheckStatus.FAILED


def test_a_summary_without_the_failure_rate_is_inconclusive(tmp_path: Path) -> None:
    data = summary_data()
    del data["metrics"]["http_req_failed"]

    assert statuses(verdict(tmp_path, data))["requests_failed"] is CheckStatus.INCONCLUSIVE


def test_a_threshold_that_only_k6_saw_crossed_fails(tmp_path: Path) -> None:
    data = summary_data()
    data["metrics"]["iterations"]["thresholds"]["count>=100"]["ok"] = False

    assert status(verdict(tmp_path, data, crossed=True)) is Status.FAILED


@pytest.mark.parametrize("ok", [True, False])
def test_an_exit_code_that_contradicts_the_summary_is_no_measurement(tmp_path: Path, ok: bool) -> None:  # noqa: FBT001
    data = summary_data()
    data["metrics"]["iterations"]["thresholds"]["count>=100"]["ok"] = ok

    with pytest.raises(PerfError, match="disagree"):
        verdict(tmp_path, data, crossed=ok)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metrics": {}}', '{"metrics": 1, "root_group": {"checks": []}}'])
def test_what_is_not_a_summary_is_no_measurement(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PerfError, match="no usable summary"):
        read_summary(path, crossed=False)


def test_a_missing_summary_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(PerfError, match="no usable summary"):
        read_summary(tmp_path / "summary.json", crossed=False)


def judged(tmp_path: Path, data: dict[str, Any], profile: Profile = PROFILE, doubt: Doubt | None = None) -> Run:
    path = tmp_path / "summary.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    run = Run(tmp_path, SilentProgress())
    judge_load(run, read_summary(path, crossed=False), profile, doubt=doubt or Doubt())
    return run


P95 = "duration.p95.kind=cached_read"


@pytest.mark.parametrize("p95", [5.0, 500.0])
def test_no_duration_is_judged_where_the_generator_was_the_limit(tmp_path: Path, p95: float) -> None:
    run = judged(tmp_path, summary_data(p95=p95), doubt=Doubt("k6 was the limit", also_of_good_ones=True))

    assert statuses(run)[P95] is CheckStatus.INCONCLUSIVE
    assert "k6 was the limit" in {check.id: check.reason for check in run.checks}[P95]


def test_on_a_busy_machine_a_slow_answer_says_nothing_and_a_quick_one_does(tmp_path: Path) -> None:
    doubt = Doubt("the machine was busy")

    assert statuses(judged(tmp_path, summary_data(p95=500.0), doubt=doubt))[P95] is CheckStatus.INCONCLUSIVE
    assert statuses(judged(tmp_path, summary_data(p95=5.0), doubt=doubt))[P95] is CheckStatus.PASSED


def test_p99_needs_five_hundred_samples(tmp_path: Path) -> None:
    profile = PROFILE.model_copy(update={"p99_milliseconds": {"cached_read": 50.0}})
    for answers, expected in ((499, CheckStatus.INCONCLUSIVE), (500, CheckStatus.PASSED)):
        data = summary_data(answers=answers)
        data["metrics"]["duration_cached_read"]["values"]["p(99)"] = 40.0
        assert statuses(judged(tmp_path, data, profile))["duration.p99.kind=cached_read"] is expected


@pytest.mark.parametrize(("dropped", "expected"), [(1, CheckStatus.PASSED), (2, CheckStatus.FAILED)])
def test_arrivals_that_found_everybody_busy_have_a_limit(tmp_path: Path, dropped: int, expected: CheckStatus) -> None:
    data = summary_data()
    data["metrics"]["dropped_iterations"] = {"values": {"count": dropped}}
    profile = PROFILE.model_copy(update={"arrivals_per_second": 20.0})

    assert statuses(judged(tmp_path, data, profile))["arrivals_dropped"] is expected


FAULT = FaultWindow(from_seconds=1, until_seconds=2, rules=(ServerError(),))


def in_a_fault(tmp_path: Path, recovered: int = 100, **counts: int) -> dict[str, CheckStatus]:
    data = summary_data()
    for name, count in counts.items():
        data["metrics"][f"fault_{name}"] = {"values": {"count": count}}
    data["metrics"]["recovered_cached_read"] = {"values": {"count": recovered, "p(95)": 5.0}}
    return statuses(judged(tmp_path, data, PROFILE.model_copy(update={"fault": FAULT})))


def test_a_server_that_says_what_is_wrong_degrades_well(tmp_path: Path) -> None:
    checks = in_a_fault(tmp_path, right=50, honest=3)

    assert checks["degrades"] is CheckStatus.PASSED
    assert checks["recovers"] is CheckStatus.PASSED
    assert checks["recovered.p95.kind=cached_read"] is CheckStatus.PASSED


def test_one_answer_that_is_neither_right_nor_honest_fails(tmp_path: Path) -> None:
    assert in_a_fault(tmp_path, right=50, honest=3, wrong=1)["degrades"] is CheckStatus.FAILED


def test_a_fault_that_nobody_noticed_shows_nothing(tmp_path: Path) -> None:
    assert in_a_fault(tmp_path, right=50)["degrades"] is CheckStatus.INCONCLUSIVE


def test_without_an_answer_after_the_fault_nothing_is_known_of_recovery(tmp_path: Path) -> None:
    checks = in_a_fault(tmp_path, recovered=0, honest=3)

    assert checks["recovers"] is CheckStatus.INCONCLUSIVE
    assert checks["recovered.p95.kind=cached_read"] is CheckStatus.INCONCLUSIVE

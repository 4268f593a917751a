"""What the scenarios judge: limits, the pool, and what the journal says of a cache."""

from pathlib import Path
from typing import Any

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.exposition import read_exposition
from perf.load.judge import Doubt
from perf.load.k6 import Summary
from perf.load.model import Profile
from perf.load.scenarios import changes_of, count_reads, judge_hit_rate, judge_limits, judge_pool
from perf.load.staleness import Answer, Change, find_lies, read_answers
from perf.load.windows import Reading, Window

CHANGES = [Change("1", 100.0, "a"), Change("1", 110.0, "b")]
TTL = 2.0


@pytest.mark.parametrize(
    ("value", "began"),
    [
        ("-", 99.0),  # before anybody changed it
        ("-", 101.9),  # from the cache
        ("a", 100.0),
        ("a", 111.9),
        ("b", 500.0),
    ],
)
def test_what_was_true_within_its_age_is_no_lie(value: str, began: float) -> None:
    assert find_lies([Answer("1", began, began + 0.01, value)], CHANGES, TTL) == []


@pytest.mark.parametrize(
    ("value", "began", "told"),
    [
        ("-", 102.2, "was over 2.20 s before"),
        ("a", 112.2, "was over 2.20 s before"),
        ("b", 109.0, "only later"),
        ("c", 111.0, "was never true"),
    ],
)
def test_what_was_not_is_one(value: str, began: float, told: str) -> None:
    (lie,) = find_lies([Answer("1", began, began + 0.01, value)], CHANGES, TTL)

    assert told in lie


def test_an_order_that_nobody_changed_shows_nothing() -> None:
    assert find_lies([Answer("2", 1.0, 1.1, "-")], CHANGES, TTL) == []
    assert find_lies([Answer("2", 1.0, 1.1, "a")], CHANGES, TTL) != []


def test_answers_are_read_from_the_log_of_k6() -> None:
    log = (
        'time="2026-11-23T21:33:09Z" level=info msg="READ 12 1700000000500 1700000001000 7" source=console\n'
        'time="2026-11-23T21:33:09Z" level=warning msg="orders_get: HTTP 200"\n'
    )

    assert read_answers(log) == [Answer("12", 1700000000.5, 1700000001.0, "7")]


def entry(at: float, *, order: str | None = "1", status: int | None = 200, kind: str = "request") -> dict[str, Any]:
    changed = {"order_metadata": {"before": [], "after": {"warehouse_sync": "5"}}}
    changes = [{"resource": "orders", "id": "1", "operation": "update", "fields": changed}] if kind == "foreign" else []
    known = {"kind": kind, "method": "GET", "order_id": order, "status": status, "changes": changes}
    return {**known, "monotonic": at, "wall": at}


def test_a_second_read_within_the_time_is_counted() -> None:
    journal = [entry(0.0), entry(2.0), entry(2.5), entry(2.5, order="2"), entry(4.5)]

    assert count_reads(journal, TTL) == (5, 1)


def test_lists_failures_and_changes_are_no_reads() -> None:
    journal = [entry(0.0), entry(0.1, order=None), entry(0.2, status=503), entry(0.3, kind="foreign")]

    assert count_reads(journal, TTL) == (1, 0)


def test_what_another_integration_changed_is_read_from_the_journal() -> None:
    assert changes_of([entry(0.0), entry(3.0, kind="foreign")]) == [Change("1", 3.0, "5")]


LIMITS = Profile(
    scenario="limits",
    users=10,
    seconds=40,
    arrivals_per_second=100,
    server={"RATE_LIMIT_RPM": "60"},
    minimum_answers=1,
    refused_rate=0.9,
)
"""A noisy tenant for 20 s: 120 tokens at once, and 1 a second."""
GOOD = {"noisy_granted": 140, "noisy_refused": 1860, "wait_kept": 3}


def limits(
    tmp_path: Path, counts: dict[str, int] | None = None, *, together: float = 11.0, doubt: Doubt | None = None
) -> dict[str, CheckStatus]:
    metrics: dict[str, Any] = {name: {"values": {"count": count}} for name, count in {**GOOD, **(counts or {})}.items()}
    metrics["quiet_alone"] = {"values": {"count": 200, "p(95)": 6.0}}
    metrics["quiet_together"] = {"values": {"count": 200, "p(95)": together}}
    run = Run(tmp_path, SilentProgress())
    judge_limits(run, Summary(metrics, (), crossed=False), LIMITS, doubt or Doubt())
    return {check.id: check.status for check in run.checks}


def test_a_limit_that_holds_and_hurts_nobody_passes(tmp_path: Path) -> None:
    assert set(limits(tmp_path, together=12.0).values()) == {CheckStatus.PASSED}


@pytest.mark.parametrize(
    ("counts", "check", "status"),
    [
        ({"noisy_granted": 148}, "limit_holds", CheckStatus.FAILED),
        ({"noisy_granted": 132}, "limit_holds", CheckStatus.FAILED),
        ({"noisy_refused": 0}, "limit_holds", CheckStatus.INCONCLUSIVE),
        ({"noisy_refused": 1000}, "noisy_refused", CheckStatus.FAILED),
        ({"quiet_refused": 1}, "quiet_is_served", CheckStatus.FAILED),
        ({"wait_broken": 1}, "wait_is_true", CheckStatus.FAILED),
        ({"wait_kept": 0}, "wait_is_true", CheckStatus.INCONCLUSIVE),
    ],
)
def test_each_promise_of_a_limit_can_be_broken(
    tmp_path: Path, counts: dict[str, int], check: str, status: CheckStatus
) -> None:
    assert limits(tmp_path, counts)[check] is status


def test_without_a_quiet_tenant_alone_nothing_is_said_of_it_beside_another(tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    metrics = {name: {"values": {"count": count}} for name, count in GOOD.items()}
    judge_limits(run, Summary(metrics, (), crossed=False), LIMITS, Doubt())

    assert {check.id: check.status for check in run.checks}["quiet.p95.beside=noise"] is CheckStatus.INCONCLUSIVE


def test_a_quiet_tenant_may_be_slowed_down_to_twice_or_by_five_milliseconds(tmp_path: Path) -> None:
    assert limits(tmp_path, together=12.1)["quiet.p95.beside=noise"] is CheckStatus.FAILED
    busy = limits(tmp_path, together=12.1, doubt=Doubt("the machine was busy"))
    assert busy["quiet.p95.beside=noise"] is CheckStatus.INCONCLUSIVE


def pool(tmp_path: Path, waiting: float, available: int = 5, waits: int = 0) -> dict[str, CheckStatus]:
    text = f"""db_pool_size 5
db_pool_available {available}
db_pool_waiting {waits}
db_connections_total{{operation="open"}} 7
db_connections_total{{operation="close"}} 2
"""
    common = {"requests": 1, "failed": 0, "dropped": 0, "users": 9, "p95_milliseconds": 1, "generator_cpu": 0.1}
    windows = [Window(at=float(second), **common, pool_waiting=waiting) for second in range(1, 5)]
    run = Run(tmp_path, SilentProgress())
    judge_pool(run, windows, [Reading(at=1.0, server=read_exposition(text))])
    return {check.id: check.status for check in run.checks}


def test_a_pool_that_is_exhausted_and_given_back_passes(tmp_path: Path) -> None:
    assert set(pool(tmp_path, waiting=3.0).values()) == {CheckStatus.PASSED}


def test_a_pool_that_nobody_waited_for_shows_nothing(tmp_path: Path) -> None:
    assert pool(tmp_path, waiting=0.0)["waiting_is_visible"] is CheckStatus.INCONCLUSIVE


def test_a_pool_that_the_server_says_nothing_of_is_inconclusive(tmp_path: Path) -> None:
    run = Run(tmp_path, SilentProgress())
    judge_pool(run, [], [Reading(at=1.0, server=read_exposition("up 1\n"))])

    assert {check.status for check in run.checks} == {CheckStatus.INCONCLUSIVE}
    assert "db_pool_size" in run.checks[-1].reason


def test_somebody_who_waits_after_the_load_fails(tmp_path: Path) -> None:
    assert pool(tmp_path, waiting=3.0, waits=1)["pool_is_given_back"] is CheckStatus.FAILED


def test_a_connection_that_nobody_gives_back_fails(tmp_path: Path) -> None:
    assert pool(tmp_path, waiting=3.0, available=4)["pool_is_given_back"] is CheckStatus.FAILED


@pytest.mark.parametrize(("hits", "status"), [(95, CheckStatus.PASSED), (94, CheckStatus.FAILED)])
def test_what_joined_another_read_counts_as_a_hit(tmp_path: Path, hits: int, status: CheckStatus) -> None:
    def counted(**counts: int) -> Reading:
        lines = (
            f'cache_operations_total{{operation="{name}",resource_type="orders"}} {count}'
            for name, count in counts.items()
        )
        return Reading(at=0.0, server=read_exposition("\n".join(lines)))

    run = Run(tmp_path, SilentProgress())
    judge_hit_rate(run, [counted(hit=7, join=1, miss=2), counted(hit=hits, join=8, miss=7 + 95 - hits)], 0.95)

    assert run.checks[0].status is status

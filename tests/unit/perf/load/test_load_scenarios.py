"""What the journal says of a cache: lies, and reads that came too early."""

from typing import Any

import pytest

from perf.load.scenarios import changes_of, count_reads
from perf.load.staleness import Answer, Change, find_lies, read_answers

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

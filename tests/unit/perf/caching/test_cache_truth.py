"""Answers held against the journal: stale by how much, true again, never true, behind a write of our own."""

import math
from typing import Any

import pytest

from perf.caching.costs import costs_of, refused_by_bucket
from perf.caching.questions import Question, State, ask
from perf.caching.truth import Answer, History, Judged

GET = ask("orders_get", order_id="7")
LIST = ask("orders_list", limit=20, folder_name="New")
STORE = {"id": "1", "name": "Shop", "folders": {"5": "New", "6": "Shipped"}}
ORDER = {"id": 7, "email": "a", "folder_id": 5}
INITIAL = State({"7": ORDER, "8": {**ORDER, "id": "8", "email": "z"}}, {}, STORE)


def change(at: float, request_id: str | None = None, **after: object) -> dict[str, Any]:
    fields = {name: {"before": None, "after": value} for name, value in after.items()}
    of = {"resource": "order", "id": "7", "operation": "update", "fields": fields}
    history = {"resource": "order_history", "id": "7", "operation": "create", "fields": {"note": {"after": "moved"}}}
    return {"monotonic": at, "request_id": request_id, "changes": [of, history]}


def answer(shown: object, began: float, ended: float | None = None, question: Question = GET) -> Answer:
    return Answer(question, began, began + 0.01 if ended is None else ended, cached=True, shown=shown, request_id="r")


def judge(given: Answer, *journal: dict[str, Any], ttl: float = 5.0, **acknowledged: float) -> Judged:
    return History(INITIAL, journal).judge(given, acknowledged, ttl)


EDITS = change(10.0, email="b"), change(20.0, email="c")


@pytest.mark.parametrize(
    ("email", "began", "age"),
    [("a", 9.0, 0.0), ("b", 12.0, 0.0), ("a", 12.0, 2.0), ("b", 23.0, 3.0), ("a", 23.0, 13.0), ("c", 23.0, 0.0)],
)
def test_the_age_of_an_answer_is_the_time_since_it_was_last_true(email: str, began: float, age: float) -> None:
    assert judge(answer({**ORDER, "email": email}, began), *EDITS).age == age


def test_what_became_true_or_untrue_while_it_was_asked_for_is_not_stale() -> None:
    for email in ("a", "b"):
        assert judge(answer({**ORDER, "email": email}, 9.5, 10.5), *EDITS).age == 0


@pytest.mark.parametrize("shown", [{**ORDER, "email": "c"}, {**ORDER, "email": "nobody"}, {}])
def test_what_was_never_true_until_then_has_no_age(shown: object) -> None:
    assert math.isnan(judge(answer(shown, 12.0), *EDITS).age)


def test_a_value_that_came_back_is_true_again() -> None:
    assert judge(answer(ORDER, 25.0), *EDITS, change(24.0, email="a")).age == 0


def test_a_list_is_stale_when_an_order_left_it_or_changed_in_it() -> None:
    eight = INITIAL.orders["8"]
    whole = ([eight, ORDER], 2)
    moved = change(10.0, folder_id=6)
    assert judge(answer(whole, 11.0, question=LIST), moved).age == 1
    assert judge(answer(([eight], 1), 11.0, question=LIST), moved).age == 0
    assert math.isnan(judge(answer(([eight], 2), 11.0, question=LIST), moved).age)  # the total counts as well
    assert judge(answer(whole, 11.0, question=LIST), change(10.5, email="b")).age == 0.5


def test_an_acknowledged_write_must_be_in_every_later_answer() -> None:
    written = change(10.0, "w", email="b")
    after = judge(answer(ORDER, 10.2), written, w=10.1)
    assert (after.tested, after.overlooked) == (True, True)
    # Not acknowledged yet when it was asked for; somebody else's; seen.
    assert not judge(answer(ORDER, 10.05), written, w=10.1).overlooked
    assert not judge(answer(ORDER, 10.2), change(10.0, email="b"), w=10.1).overlooked
    seen = judge(answer({**ORDER, "email": "b"}, 10.2), written, w=10.1)
    assert (seen.tested, seen.overlooked) == (True, False)
    # Long after it, no cache can have held what it replaced: that says nothing of invalidation.
    assert not judge(answer({**ORDER, "email": "b"}, 15.2), written, w=10.1).tested


def test_costs_are_hits_calls_upstream_and_the_ages_of_stale_answers() -> None:
    judged = [Judged(answer(ORDER, 1.0), age, tested=False, overlooked=False) for age in (0.0, 3.0, 1.0, 2.0)]
    journal: list[dict[str, Any]] = [{"request_id": "r"}, {"request_id": None}, {"request_id": "other"}]
    costs = costs_of(judged, journal)
    assert (costs.answers, costs.hits, costs.upstream, costs.ages) == (4, 4, 1, (1.0, 2.0, 3.0))
    assert (costs.hit_rate, costs.upstream_per_answer, costs.stale_share) == (1.0, 0.25, 0.75)
    assert (costs.age(0.5), costs.age(1)) == (2.0, 3.0)
    assert costs_of([], journal).age(0.95) == 0


def test_the_bucket_refuses_what_comes_faster_than_it_fills() -> None:
    assert refused_by_bucket([{"monotonic": 5.0} for _ in range(25)]) == 5
    assert refused_by_bucket([{"monotonic": number / 3.0} for number in range(100)]) == 0
    assert refused_by_bucket([]) == 0

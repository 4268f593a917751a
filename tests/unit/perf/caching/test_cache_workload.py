"""The workload: the same again, every tool in it, at about the rates that were asked for."""

from collections import Counter

from harness.sandbox.catalogue import Catalogue
from perf.caching.model import CacheTable
from perf.caching.questions import READINGS, Question, State
from perf.caching.workload import Change, Workload, Write

TABLE = CacheTable(warm_up_seconds=10, seconds=90, writes_per_second=0.5)
CATALOGUE = Catalogue(1, 0, 200)
STATE = State(
    {str(order["id"]): order for order in map(CATALOGUE.order, range(200))},
    {str(product["id"]): product for product in CATALOGUE.inventory()},
    {"id": "1", "name": "Shop", "folders": {str(number): name for number, name in CATALOGUE.folders.items()}},
)


def test_the_same_steps_come_again_in_the_order_of_time() -> None:
    steps = Workload(TABLE, STATE).steps()
    assert steps == Workload(TABLE, STATE).steps()
    assert [step.due for step in steps] == sorted(step.due for step in steps)
    assert 90 < steps[-1].due < 100


def test_reads_writes_and_changes_come_at_their_rates() -> None:
    deeds = Counter(type(step.deed) for step in Workload(TABLE, STATE).steps())
    assert 900 < deeds[Question] < 1_100
    assert 30 < deeds[Write] < 70
    assert 30 < deeds[Change] < 70


def test_every_cached_tool_is_asked_and_every_question_has_an_answer() -> None:
    asked = [step.deed for step in Workload(TABLE, STATE).steps() if isinstance(step.deed, Question)]
    assert {question.tool for question in asked} == set(READINGS)
    assert all(question.expected(STATE) is not None for question in asked)


def test_what_is_popular_is_the_newest() -> None:
    gets = Counter(
        step.deed.arguments["order_id"]
        for step in Workload(TABLE, STATE).steps()
        if isinstance(step.deed, Question) and step.deed.tool == "orders_get"
    )
    newest = max(STATE.orders, key=int)
    assert gets.most_common(1)[0][0] == newest
    assert len(gets) > 20

"""The search for the highest rate that holds: planted capacities are found, neighbours' noise is tried once more."""

import math
from collections.abc import Callable, Iterator

import pytest

from perf.capacity.model import CapacityTable
from perf.capacity.search import Outcome, Step, conclude, search

PLAN = CapacityTable(first_per_second=100, most_per_second=20_000, within_percent=5)


def step(per_second: int, outcome: Outcome, p95: float = 2.0) -> Step:
    return Step(per_second, outcome, "" if outcome is Outcome.HELD else "too slow", p95, None)


def server(capacity: int) -> Callable[[int], Step]:
    """One that holds up to its capacity, where calls take ten times as long as at rest."""
    return lambda rate: step(rate, Outcome.HELD if rate <= capacity else Outcome.BROKE, 2 / max(0.1, 1 - rate / 4000))


@pytest.mark.parametrize("capacity", [100, 101, 137, 799, 800, 801, 3_333, 19_999])
def test_a_planted_capacity_is_found_within_the_plan(capacity: int) -> None:
    found = conclude(list(search(server(capacity), PLAN)), PLAN)
    assert found.highest_held is not None
    assert found.lowest_not_held is not None
    assert capacity / 1.06 <= found.highest_held.per_second <= capacity < found.lowest_not_held.per_second


def test_rates_next_to_each_other_are_the_end_however_exact_the_plan() -> None:
    plan = CapacityTable(first_per_second=1, most_per_second=100, within_percent=0.001)
    steps = list(search(server(6), plan))
    found = conclude(steps, plan)
    assert found.highest_held is not None
    assert found.highest_held.per_second == 6
    assert len(steps) < 15


def test_it_ends_at_the_heaviest_step() -> None:
    steps = list(search(server(10**9), PLAN))
    assert steps[-1].per_second == 20_000
    found = conclude(steps, PLAN)
    assert found.highest_held == steps[-1]
    assert found.lowest_not_held is None


def test_a_lightest_step_that_does_not_hold_is_tried_again_and_ends_it() -> None:
    steps = list(search(server(50), PLAN))
    assert [each.per_second for each in steps] == [100, 100]
    assert conclude(steps, PLAN).highest_held is None


def test_a_step_that_a_neighbour_spoiled_holds_the_second_time() -> None:
    real, spoiled = server(1_000), iter([False, True, False, True, False])

    def send(rate: int) -> Step:
        return step(rate, Outcome.BROKE, math.nan) if next(spoiled, False) else real(rate)

    steps = list(search(send, PLAN))
    assert [each.per_second for each in steps[:5]] == [100, 200, 200, 400, 400]
    found = conclude(steps, PLAN)
    assert found.highest_held is not None
    assert 950 <= found.highest_held.per_second <= 1_000


def test_of_two_tries_the_one_that_could_tell_stands() -> None:
    outcomes: Iterator[Outcome] = iter([Outcome.HELD, Outcome.UNKNOWN, Outcome.BROKE])
    plan = CapacityTable(first_per_second=100, within_percent=100)
    found = conclude(list(search(lambda rate: step(rate, next(outcomes)), plan)), plan)
    assert found.lowest_not_held is not None
    assert (found.lowest_not_held.per_second, found.lowest_not_held.outcome) == (200, Outcome.BROKE)


def test_the_knee_is_where_calls_begin_to_take_many_times_what_they_do_at_rest() -> None:
    durations = {100: 2.0, 200: 2.2, 400: 3.0, 800: 7.0, 1600: 5.0}
    plan = CapacityTable(first_per_second=100, most_per_second=1600, knee_factor=3)
    found = conclude([step(rate, Outcome.HELD, p95) for rate, p95 in durations.items()], plan)
    assert found.knee is not None
    assert found.knee.per_second == 400

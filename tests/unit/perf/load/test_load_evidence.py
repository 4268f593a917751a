"""What samples show: whether there were any, what is kept after the load, how memory grew, whether k6 was the limit."""

import math
from pathlib import Path

import pytest

from harness.collector import Run
from harness.progress import SilentProgress
from harness.verdict import CheckStatus
from perf.exposition import read_exposition
from perf.load.bottleneck import GENERATOR, OTHERS, Bottleneck, Resource
from perf.load.evidence import judge_bottleneck, judge_leaks, judge_memory, judge_samples
from perf.load.job import doubt_of
from perf.load.model import Profile
from perf.load.windows import NEEDED, ProcessReading, Reading, Window

PROFILE = Profile(users=2, seconds=30, minimum_answers=10, memory_growth=1.1)
METRICS = read_exposition("".join(f"{name} 1\n" for name in NEEDED))
PASSED, FAILED, INCONCLUSIVE = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.INCONCLUSIVE


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path, SilentProgress())


@pytest.mark.parametrize(("read", "status"), [(10, PASSED), (5, PASSED), (4, INCONCLUSIVE), (0, INCONCLUSIVE)])
def test_half_of_the_loads_seconds_must_have_been_read(run: Run, read: int, status: CheckStatus) -> None:
    # Users that come and go are under load, if none of them happens to be under way.
    generators = [{"vus": 2.0}] * 5 + [{"vus": 0.0, "iterations": 3.0}] * 5
    loaded = [
        Reading(at=float(second), generator=generator, server=METRICS if second < read else None)
        for second, generator in enumerate(generators)
    ]
    # What was read before the load says nothing of it.
    judge_samples(run, [Reading(at=0.0, server=METRICS), *loaded, Reading(at=11.0, server=METRICS)], wanted=True)

    assert run.checks[0].status is status


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (ProcessReading(1.0, 0, 20, 1), ProcessReading(2.0, 0, 60, 1), PASSED),
        (ProcessReading(1.0, 0, 20, 1), ProcessReading(2.0, 0, 61, 1), FAILED),
        (ProcessReading(1.0, 0, 20, 1), ProcessReading(2.0, 0, 21, 2), FAILED),
        (ProcessReading(1.0, 0, 20, 1), None, INCONCLUSIVE),
    ],
)
def test_descriptors_and_clients_connections_that_stay_open_are_leaks(
    run: Run, before: ProcessReading, after: ProcessReading | None, status: CheckStatus
) -> None:
    judge_leaks(run, [Reading(at=0.0, server_process=before), Reading(at=9.0, server_process=after)])

    assert run.checks[0].status is status


def windows(*resident: float) -> list[Window]:
    common = {"requests": 1, "failed": 0, "dropped": 0, "users": 2, "p95_milliseconds": 1, "generator_cpu": 0.1}
    return [Window(at=float(second), **common, resident_bytes=each) for second, each in enumerate(resident)]


@pytest.mark.parametrize(
    ("resident", "status"),
    [
        ([200.0] * 20 + [100.0] * 40 + [109.0] * 40, PASSED),  # what it takes to get warm is no growth
        ([100.0] * 60 + [112.0] * 40, FAILED),
        ([100.0] * 99 + [900.0], PASSED),  # one reading is no rule
        ([100.0] * 20, INCONCLUSIVE),
        ([], INCONCLUSIVE),
    ],
)
def test_memory_grows_from_the_first_to_the_last_tenth(run: Run, resident: list[float], status: CheckStatus) -> None:
    judge_memory(run, windows(*resident), PROFILE)

    assert run.checks[0].status is status


def bottleneck(name: str, *names: str) -> Bottleneck:
    return Bottleneck(name, tuple(Resource(each, 1.0 if each == name else 0.5, each) for each in (name, *names)))


@pytest.mark.parametrize(
    ("found", "seconds", "status"),
    [
        (bottleneck("server CPU", GENERATOR), 30, PASSED),
        (bottleneck(GENERATOR, "server CPU"), 30, INCONCLUSIVE),
        (bottleneck("server CPU"), 30, INCONCLUSIVE),  # k6 itself could not be read
        (None, 6, INCONCLUSIVE),
        (None, 5, CheckStatus.NOT_APPLICABLE),
    ],
)
def test_that_k6_was_not_the_limit_must_have_been_seen(
    run: Run, found: Bottleneck | None, seconds: int, status: CheckStatus
) -> None:
    judge_bottleneck(run, found, PROFILE.model_copy(update={"seconds": seconds}))

    assert run.checks[0].status is status


def test_what_was_timed_is_in_doubt_where_k6_or_others_were_the_limit() -> None:
    assert doubt_of(bottleneck(GENERATOR)).also_of_good_ones
    assert doubt_of(bottleneck(OTHERS)).reason
    assert not doubt_of(bottleneck(OTHERS)).also_of_good_ones
    assert not doubt_of(bottleneck("server CPU")).reason
    assert not doubt_of(None).reason


def test_what_is_no_number_is_left_out_of_memory(run: Run) -> None:
    judge_memory(run, windows(*([math.nan] * 50 + [100.0] * 50)), PROFILE)

    assert run.measurements[0].samples == 40

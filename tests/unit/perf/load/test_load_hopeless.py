"""A load ends early when nobody answers, or when its limit of failures cannot be kept any more."""

import dataclasses

from perf.load.hopeless import why_hopeless
from perf.load.model import FaultWindow, Profile
from perf.load.windows import Reading

CLOSED = Profile(users=10, seconds=100, minimum_answers=10, failed_rate=0.01)
OPEN = Profile(users=10, seconds=100, minimum_answers=10, failed_rate=0.01, arrivals_per_second=100)


def readings(*counts: tuple[float, float]) -> list[Reading]:
    """A reading a second: requests so far, and how many of them failed."""
    return [
        Reading(at=float(second), generator={"http_reqs": sent, "failed": failed, "vus": 10})
        for second, (sent, failed) in enumerate(counts)
    ]


def test_a_load_that_is_answered_goes_on() -> None:
    assert why_hopeless(readings(*((100 * second, 0) for second in range(20))), CLOSED, began=0) == ""


def test_five_seconds_without_an_answer_end_it() -> None:
    silent = readings(*((100, 0) for _ in range(6)))

    assert why_hopeless(silent[:5], CLOSED, began=0) == ""
    assert why_hopeless(silent, CLOSED, began=0) == "nobody answered for 5 s"


def test_a_pause_between_two_calls_is_no_silence() -> None:
    silent = readings(*((100, 0) for _ in range(12)))
    thinking, seldom = (
        CLOSED.model_copy(update=each) for each in ({"think_milliseconds": 6000}, {"arrivals_per_second": 0.2})
    )

    for profile, pause in ((thinking, 6), (seldom, 5)):
        assert why_hopeless(silent[: 5 + pause], profile, began=0) == ""
        assert why_hopeless(silent[: 6 + pause], profile, began=0) == f"nobody answered for {5 + pause} s"


def test_what_k6_did_not_tell_is_no_silence_and_neither_is_having_no_users() -> None:
    silent = readings(*((100, 0) for _ in range(9)))
    untold = [dataclasses.replace(each, generator_known=each.at < 1) for each in silent]
    empty = [dataclasses.replace(each, generator={"http_reqs": 100, "vus": 0}) for each in silent]

    assert why_hopeless(untold, CLOSED, began=0) == ""
    assert why_hopeless(empty, CLOSED, began=0) == ""


def test_a_fault_may_keep_everybody_waiting() -> None:
    rules = [{"kind": "server_error", "status": 503}]
    fault = FaultWindow.model_validate({"from_seconds": 4, "until_seconds": 6, "settle_seconds": 2, "rules": rules})
    faulty = CLOSED.model_copy(update={"fault": fault})
    silent = readings(*((100, 0) for _ in range(10)))

    assert why_hopeless(silent[:9], faulty, began=0) == ""
    assert why_hopeless(silent, faulty, began=0) != ""


def test_failures_are_no_answers() -> None:
    failing = readings(*((100 + second, second) for second in range(6)))

    assert "nobody answered" in why_hopeless(failing, CLOSED, began=0)


def test_the_time_before_the_load_is_no_silence() -> None:
    assert why_hopeless(readings(*((0, 0) for _ in range(9))), CLOSED, began=6) == ""


def test_more_failures_than_the_whole_load_may_have_end_it() -> None:
    # 100 arrivals a second for 100 s: of 10,000 requests 100 may fail.
    kept, lost = readings((0, 0), (100, 50), (200, 100)), readings((0, 0), (100, 50), (200, 101))

    assert why_hopeless(kept, OPEN, began=0) == ""
    assert "101 requests failed" in why_hopeless(lost, OPEN, began=0)


def test_without_a_fixed_rate_the_rest_is_granted_twice_the_best_rate_so_far() -> None:
    # After 2 s with 100 a second, 98 s more could bring 19,600: of 19,800, 198 may fail.
    kept, lost = readings((0, 0), (100, 20), (200, 198)), readings((0, 0), (100, 20), (200, 199))

    assert why_hopeless(kept, CLOSED, began=0) == ""
    assert "199 requests failed" in why_hopeless(lost, CLOSED, began=0)


def test_a_few_failures_end_nothing_whatever_the_limit() -> None:
    strict = CLOSED.model_copy(update={"failed_rate": 0.0})

    assert why_hopeless(readings((0, 0), (100, 49)), strict, began=0) == ""
    assert "50 requests failed" in why_hopeless(readings((0, 0), (100, 50)), strict, began=0)

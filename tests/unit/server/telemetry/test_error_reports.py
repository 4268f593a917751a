"""What is reported and how often, and what an event says of an exception."""

import asyncio
import errno
import importlib
import subprocess
import sys
from typing import Any

import pytest

from harness.repository import REPOSITORY
from server.errors import NotFoundError, RateLimitError
from server.protocol.exchange import Notes
from server.telemetry.tracking.event import LAST_FRAMES, error_event, transaction_event
from server.telemetry.tracking.ignored import IGNORED, is_ignored
from server.telemetry.tracking.throttle import KINDS, REPORTS, SECONDS, Throttle
from server.telemetry.tracking.tracker import CLOSE_SECONDS
from server.telemetry.tracking.trail import LONGEST, TRAIL, Trail, step
from tests.unit.server.parts import FakeClock

FIELDS = {"event": "tool.crashed", "level": "error"}


def exceptions(error: BaseException) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = error_event(FIELDS, error, None, None)["exception"]["values"]
    return values


@pytest.mark.parametrize("ignored", IGNORED, ids=lambda each: each.name)
def test_what_is_ignored_exists_and_says_why(ignored: Any) -> None:
    module, _, name = ignored.name.rpartition(".")
    if ignored.kind == "exception":
        assert issubclass(getattr(importlib.import_module(module), name), BaseException)
    else:
        assert importlib.import_module(ignored.name)
    assert len(ignored.reason) > 20


def test_expected_answers_and_clients_that_go_away_are_not_reported() -> None:
    assert is_ignored(RateLimitError("slow down", retry_after_seconds=1, limit="tenant"), None)
    assert is_ignored(NotFoundError("no such order"), None)
    assert is_ignored(asyncio.CancelledError(), None)
    assert is_ignored(BrokenPipeError(), None)
    assert not is_ignored(RuntimeError(), None)
    assert not is_ignored(TimeoutError(), None)
    assert not is_ignored(None, None)


def test_what_reporting_itself_logs_is_not_reported() -> None:
    assert is_ignored(None, "urllib3.connectionpool")
    assert is_ignored(RuntimeError(), "sentry_sdk")
    assert not is_ignored(None, "urllib3extra")
    assert not is_ignored(None, "asyncio")


def test_an_exception_is_told_with_its_causes_first_and_without_its_text() -> None:
    def fail() -> None:
        try:
            int("mary@example.com")
        except ValueError as cause:
            raise RuntimeError("order of Mary") from cause

    with pytest.raises(RuntimeError) as caught:
        fail()
    told = exceptions(caught.value)
    assert [each["type"] for each in told] == ["ValueError", "RuntimeError"]
    assert all("value" not in each for each in told)
    assert told[-1]["stacktrace"]["frames"][-1]["function"].endswith("<locals>.fail")


def test_members_of_a_group_and_the_system_s_reasons_are_told() -> None:
    group = ExceptionGroup("of Mary", [OSError(errno.ENOSPC, "Mary", "/home/mary"), ValueError("Mary")])
    told = exceptions(group)
    assert [each["type"] for each in told] == ["OSError", "ValueError", "ExceptionGroup"]
    assert told[0]["value"] == "No space left on device"
    assert "ary" not in str(told)


def test_a_deep_stack_is_told_by_its_innermost_frames() -> None:
    def dig(depth: int) -> None:
        if not depth:
            raise ValueError
        dig(depth - 1)

    with pytest.raises(ValueError) as caught:  # noqa: PT011 - any will do
        dig(LAST_FRAMES * 2)
    frames = exceptions(caught.value)[0]["stacktrace"]["frames"]
    assert len(frames) == LAST_FRAMES
    assert {frame["function"].rpartition(".")[2] for frame in frames} == {"dig"}


def test_of_a_log_event_only_known_fields_are_told() -> None:
    fields = {**FIELDS, "tool": "orders_get", "email": "mary@example.com", "message": "hello Mary", "rows": 3}
    assert "ary" not in str(error_event(fields, None, None, None))


def test_a_library_s_error_is_told_by_its_logger() -> None:
    event = error_event({"event": "library.log", "logger": "asyncio", "message": "of Mary"}, None, None, "f" * 16)
    assert event["logentry"] == {"message": "library.log asyncio"}
    assert event["user"] == {"id": "f" * 16}


def test_a_trail_keeps_the_last_steps_and_a_step_elsewhere_is_nobody_s() -> None:
    clock = FakeClock()
    step("tool", "before", "ok", 1)
    trail = Trail("0" * 16, Notes(tool="orders_get"), clock)
    token = TRAIL.set(trail)
    try:
        for number in range(LONGEST + 1):
            step("database", f"S{number}", "ok", 0.5)
    finally:
        TRAIL.reset(token)
    clock.advance(2)
    event = transaction_event(trail, None)
    assert len(event["spans"]) == LONGEST
    assert event["spans"][0]["description"] == "S1"
    assert event["spans"][0]["timestamp"] - event["spans"][0]["start_timestamp"] == 0.5
    assert event["timestamp"] - event["start_timestamp"] == 2
    assert event["contexts"]["trace"]["status"] == "ok"


def test_the_same_trouble_is_admitted_a_few_times_a_minute_and_others_beside_it() -> None:
    clock = FakeClock()
    throttle = Throttle(clock)
    assert [throttle.admits("a") for _ in range(REPORTS + 2)] == [True] * REPORTS + [False] * 2
    assert throttle.admits("b")
    clock.advance(SECONDS)
    assert throttle.admits("a")


def test_the_throttle_remembers_so_many_kinds_and_no_more() -> None:
    throttle = Throttle(FakeClock())
    for kind in range(KINDS * 3):
        throttle.admits(kind)
    assert len(throttle._windows) == KINDS


def test_a_stop_that_waits_for_sentry_fits_between_the_drain_and_the_kill() -> None:
    # STOP_TIMEOUT_SECONDS must be longer than DRAIN_SECONDS, in whole seconds.
    assert CLOSE_SECONDS < 1


def test_without_a_dsn_nothing_of_sentry_is_imported() -> None:
    program = """
import os, sys
os.environ["MASTER_KEY"] = "A" * 43
import server.application, server.serve, server.stdio
from server.settings import Settings
from server.telemetry.tracking import tracking
with tracking(Settings.load(os.environ)) as tracker:
    print(tracker, *(name for name in sys.modules if name.partition(".")[0] in {"sentry_sdk", "urllib3"}))
"""
    done = subprocess.run((sys.executable, "-c", program), capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert (done.stdout, done.stderr) == ("None\n", "")

"""Collapsed stacks read, and the functions in them weighed."""

import pytest

from perf.errors import PerfError
from perf.profiling.stacks import Frame, by_total, frames, parse

RUN, CALL, DUMP = "run (uvicorn/server.py:1)", "call (server/tools/registry.py:9)", "dump (server/cache.py:3)"


def test_counts_of_the_same_stack_are_added() -> None:
    assert parse(f"{RUN};{CALL} 3\n{RUN};{CALL} 2\n") == {(RUN, CALL): 5}


def test_names_may_hold_blanks() -> None:
    assert parse("<module> (__main__.py:1);go (a b.py:2) 7") == {("<module> (__main__.py:1)", "go (a b.py:2)"): 7}


@pytest.mark.parametrize("line", ["", "run", "run x", "run -3", "3"])
def test_a_line_that_is_no_stack_is_refused(line: str) -> None:
    with pytest.raises(PerfError, match="not a collapsed stack"):
        parse(f"a 1\n{line}\nb 2")


def test_a_thread_without_frames_is_left_out() -> None:
    assert parse(f" 3\n{RUN} 2\n") == {(RUN,): 2}


def test_a_function_has_what_it_did_itself_and_all_that_it_called() -> None:
    found = frames({(RUN, CALL, DUMP): 60, (RUN, CALL): 30, (RUN,): 10})
    assert found == [Frame(DUMP, 0.6, 0.6), Frame(CALL, 0.3, 0.9), Frame(RUN, 0.1, 1.0)]


def test_a_function_that_calls_itself_counts_once() -> None:
    assert frames({(RUN, CALL, CALL): 1}) == [Frame(CALL, 1.0, 1.0), Frame(RUN, 0.0, 1.0)]


def test_nothing_seen_is_no_function() -> None:
    assert frames({}) == []


def test_a_package_is_told_from_the_others_by_its_folder() -> None:
    found = frames({(RUN, CALL, DUMP): 1, (RUN, CALL): 1})
    assert [frame.name for frame in by_total(found, "server")] == [CALL, DUMP]

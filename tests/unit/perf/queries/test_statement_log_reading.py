"""The server's statement log as the profile reads it."""

import json
from pathlib import Path

import pytest

from perf.errors import PerfError
from perf.queries.statements import Statement, read_statements, shape


def written(path: Path, *lines: tuple[str, object], rest: str = "") -> Path:
    text = "".join(
        json.dumps({"statement": statement, "parameters": repr(parameters), "request_id": "r1"}) + "\n"
        for statement, parameters in lines
    )
    path.write_text(text + rest, encoding="utf-8")
    return path


def test_parameters_come_back_as_they_were_bound(tmp_path: Path) -> None:
    bound = ("it's\u2028", 7, None, b"\x00\xff", 1.5)
    assert read_statements(written(tmp_path / "log", ("SELECT ?", bound))) == [Statement("SELECT ?", bound, "r1")]


def test_of_many_rows_the_first_is_kept(tmp_path: Path) -> None:
    (read,) = read_statements(written(tmp_path / "log", ("INSERT INTO t VALUES (?)", [(1,), (2,)])))
    assert read.parameters == (1,)


def test_transactions_and_pragmas_are_left_out_and_a_line_being_written_waits(tmp_path: Path) -> None:
    path = written(tmp_path / "log", ("BEGIN IMMEDIATE", ()), ("PRAGMA busy_timeout=1", ()), rest='{"statement": "SEL')
    assert read_statements(path) == []


@pytest.mark.parametrize(
    "text",
    ["not json\n", '{"statement": "SELECT 1"}\n', '{"statement": "SELECT 1", "parameters": "f(", "request_id": ""}\n'],
)
def test_a_log_that_is_none_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(PerfError):
        read_statements(tmp_path / "log")


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PerfError):
        read_statements(tmp_path / "log")


def test_lists_of_any_length_have_one_shape() -> None:
    assert shape("SELECT 1\n  WHERE x IN (?, ?)") == shape("SELECT 1 WHERE x IN (?, ?, ?)")

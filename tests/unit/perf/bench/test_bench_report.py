"""What pytest-benchmark writes: read where it holds figures, refused in one line where it does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from perf.bench.model import Stats, read_report
from perf.errors import PerfError


def report(**stats: Any) -> str:
    figures = {"min": 1e-6, "median": 2e-6, "rounds": 50, "iterations": 1, **stats}
    return json.dumps({"machine_info": {}, "benchmarks": [{"fullname": "t.py::test", "stats": figures}]})


def test_figures_come_by_the_id_of_their_test(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(report(), encoding="utf-8")
    assert read_report(path) == {"t.py::test": Stats(min=1e-6, median=2e-6, rounds=50)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "[]",
        "{}",
        '{"benchmarks": []}',
        '{"benchmarks": [{"fullname": "t"}]}',
        report(median=0),
        report(median="NaN"),
        report(median=None),
        report(rounds=-1),
    ],
)
def test_garbage_is_an_error_of_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PerfError, match=r"^[^\n]+$"):
        read_report(path)


def test_a_missing_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PerfError, match="left no report"):
        read_report(tmp_path / "report.json")

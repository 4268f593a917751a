"""`./inv load.capacity` on a real server, with limits that a small rate breaks, and where nothing can be measured."""

import os
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from harness.record import RunRecord, parse_record
from harness.verdict import CheckStatus
from perf.capacity.job import run_capacity
from perf.load.job import Options, Tool
from perf.load.k6 import MIX, find_k6

OPS = """
[reports]
directory = "{reports}"

[load.profiles.capacity]
users = 5
seconds = 2
mix = {mix}
minimum_answers = 100
failed_rate = {failed_rate}
{limit}

[load.capacity]
first_per_second = {first}
most_per_second = {most}
step_seconds = 2
within_percent = 50
"""


@pytest.fixture
def measured(tmp_path: Path) -> "Measured":
    return Measured(tmp_path)


class Measured:
    """A repository of its own: settings and reports, no more."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "waivers.toml").write_text("")

    def run(
        self,
        *,
        most: int = 60,
        limit: str = "",
        tool: Tool | None = None,
        mix: str = "{ cached_read = 1 }",
        first: int = 60,
    ) -> tuple[int, RunRecord]:
        text = OPS.format(
            reports=self.folder / "reports", most=most, limit=limit, failed_rate=0.0, mix=mix, first=first
        )
        (self.folder / "ops.toml").write_text(text)
        code = run_capacity(Options("capacity"), repository=self.folder, environ=os.environ, as_json=True, tool=tool)
        return code, parse_record((self.folder / "reports" / "latest-load.capacity" / "record.json").read_bytes())


def status(record: RunRecord) -> dict[str, CheckStatus]:
    return {check.id: check.status for check in record.checks}


def test_a_capacity_beyond_the_last_step_is_not_known(measured: Measured) -> None:
    code, record = measured.run()
    assert code == 3
    assert status(record)["found"] is CheckStatus.INCONCLUSIVE
    (found,) = [check for check in record.checks if check.id == "found"]
    assert found.reason == "at least 60 calls/s, where the search ended: raise most_per_second"
    assert {each.name: each.value for each in record.measurements}["capacity"] == 60
    names = {each.name for each in record.series}
    assert names >= {"requests", "server CPU", "k6 CPU", "/health/live"}
    assert {each.path.split("/")[0] for each in record.artifacts} == {"logs", "series.json", "steps"}


def test_an_impossible_limit_fails_at_the_lightest_step(measured: Measured) -> None:
    code, record = measured.run(limit="p95_milliseconds = { cached_read = 0.001 }")
    assert code == 1
    (found,) = [check for check in record.checks if check.id == "found"]
    assert found.reason.startswith("the lightest step, 60 calls/s, does not hold: duration, p95")


def test_without_k6_nothing_is_known(measured: Measured, tmp_path: Path) -> None:
    code, record = measured.run(tool=Tool(tmp_path / "k6"))
    assert code == 3
    assert status(record)["steps"] is CheckStatus.INCONCLUSIVE
    assert find_k6().is_file()


def test_a_rate_that_k6_does_not_begin_is_not_known_to_hold(measured: Measured, tmp_path: Path) -> None:
    script = tmp_path / "slower.js"
    script.write_text(
        f"import {{ options as asked }} from '{MIX}';\n"
        f"export {{ default, handleSummary, setup }} from '{MIX}';\n"
        "const load = { ...asked.scenarios.load, rate: 550 };\n"
        "export const options = { ...asked, scenarios: { load } };\n"
    )
    code, record = measured.run(tool=Tool(find_k6(), script))
    assert code == 3
    (found,) = [check for check in record.checks if check.id == "found"]
    assert "k6 began 11" in found.reason
    assert "of 120 calls" in found.reason


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"mix": "{ cached_read = 9, update = 1 }"}, "profile capacity cannot be stepped"),
        ({"limit": 'scenario = "pool"'}, "profile capacity cannot be stepped"),
        ({"limit": "[load.profiles.capacity.server]", "mix": "{ nothing = 1 }"}, "nothing"),
        ({"limit": "hit_rate = 0.9"}, "hit_rate, which a step is too short to judge"),
        ({"limit": "memory_growth = 1.1"}, "memory_growth, which a step is too short to judge"),
        ({"most": 50}, "first_per_second is more than most_per_second"),
    ],
)
def test_what_cannot_be_stepped_is_wrong_usage(measured: Measured, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        measured.run(**asked)
    assert not (measured.folder / "reports").exists()


def test_a_lightest_step_of_too_few_calls_is_wrong_usage(measured: Measured) -> None:
    with pytest.raises(UsageError, match="fewer calls than the 100 answers"):
        measured.run(first=49)

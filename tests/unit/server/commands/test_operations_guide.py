"""The operator's guide shows commands that exist, and what they print."""

import re
import shlex
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from server import cli
from server.telemetry.metrics import Metrics

GUIDE = Path(__file__).parents[4] / "docs" / "OPERATIONS.md"
BLOCKS = re.findall(r"```shell\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [
    line.split(maxsplit=1)[1]
    for block in BLOCKS
    for line in map(str.strip, block.splitlines())
    if line.startswith("quartermaster ")
]


def test_the_guide_shows_commands() -> None:
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_guide_is_understood(command: str) -> None:
    assert "command" in cli._parser().parse_args(shlex.split(command))


def test_the_metrics_to_be_alerted_to_exist() -> None:
    section = GUIDE.read_text(encoding="utf-8").split("## What to be alerted to")[1].split("\n## ")[0]
    named = set(re.findall(r"\b(?:disk|audit_rows)_[a-z_]+\b", section))
    known = set(
        re.findall(r"^# TYPE (\w+)", generate_latest(Metrics("0", "development").registry).decode(), re.MULTILINE)
    )
    assert {"disk_free_bytes", "disk_reserve_bytes", "audit_rows_dropped_total"} <= named <= known


def test_a_command_that_does_not_exist_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["brake", "pull", "everything", "--reason", "x"])
    assert "everything" in capsys.readouterr().err

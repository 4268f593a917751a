"""The operator's guide shows commands that exist, and what they print."""

import re
import shlex
from pathlib import Path

import pytest

from server import cli

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


def test_a_command_that_does_not_exist_is_not_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["brake", "pull", "everything", "--reason", "x"])
    assert "everything" in capsys.readouterr().err

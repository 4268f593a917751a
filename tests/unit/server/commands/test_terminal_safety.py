"""What a client chose is shown to an operator without steering the terminal."""

import argparse
import json

import pytest

from server.commands.operate import json_of, printable, show

STEERING = "\x1b]0;owned\x07a\x7f\x9b31m\u202eb\nc"


def test_a_line_keeps_its_letters_and_shows_what_would_steer() -> None:
    assert printable("Ada Lovelace, Zürich: 東京") == "Ada Lovelace, Zürich: 東京"
    assert printable(STEERING) == "\\x1b]0;owned\\x07a\\x7f\\x9b31m\\u202eb\\nc"


def test_json_is_the_same_document_without_control_characters() -> None:
    text = json_of({"name": STEERING})
    assert json.loads(text) == {"name": STEERING}
    assert not [character for character in text if character < " " or "\x7f" <= character <= "\x9f"]


@pytest.mark.parametrize("as_json", [False, True])
def test_what_a_command_shows_is_safe(*, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    show(argparse.Namespace(json=as_json), {"name": STEERING}, [STEERING])
    shown = capsys.readouterr().out.rstrip("\n")
    assert not [character for character in shown if character < " " or "\x7f" <= character <= "\x9f"]

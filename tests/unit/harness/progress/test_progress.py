"""A person at a terminal sees what happens; a pipe and a file see nothing."""

import contextlib
import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from harness.progress import SilentProgress, TerminalProgress, make_progress
from harness.verdict import CheckStatus

TERMINAL = {"TERM": "xterm-256color"}


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TextIO, int]]:
    """A real pseudo-terminal: the stream to write to, and the descriptor on which a person would read."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream:
        yield stream, reader
    os.close(reader)


def show(stream: TextIO, reader: int) -> str:
    progress = make_progress(stream, TERMINAL)
    assert isinstance(progress, TerminalProgress)
    progress.now("The server \x1b[2Janswers")
    progress.result(CheckStatus.PASSED, "The server answers", "")
    progress.result(CheckStatus.FAILED, "It is fast", "0.8 s, \x1b]0;owned\x07limit 0.5 s")
    progress.close()
    stream.close()
    shown = b""
    with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
        while chunk := os.read(reader, 65_536):
            shown += chunk
    return shown.decode()


def test_a_terminal_sees_what_is_running_and_the_results(terminal: tuple[TextIO, int]) -> None:
    shown = show(*terminal)
    for words in ("answers", "passed", "failed", "It is fast", "limit 0.5 s", "0 s"):
        assert words in shown
    assert "\x1b[32m" in shown or "\x1b[1;31m" in shown


def test_what_the_target_says_cannot_steer_the_terminal(terminal: tuple[TextIO, int]) -> None:
    shown = show(*terminal)
    assert "\x1b[2J" not in shown
    assert "\x1b]0;" not in shown


def test_no_color_is_honoured(terminal: tuple[TextIO, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    shown = show(*terminal)
    assert "failed" in shown
    assert "\x1b[32m" not in shown
    assert ";31m" not in shown


@pytest.mark.parametrize("environ", [{}, {"TERM": ""}, {"TERM": "dumb"}])
def test_a_terminal_that_cannot_move_its_cursor_gets_none(
    terminal: tuple[TextIO, int], environ: dict[str, str]
) -> None:
    assert isinstance(make_progress(terminal[0], environ), SilentProgress)


def test_json_output_silences_progress(terminal: tuple[TextIO, int]) -> None:
    assert isinstance(make_progress(terminal[0], TERMINAL, silent=True), SilentProgress)


def test_a_pipe_or_file_gets_nothing() -> None:
    stream = io.StringIO()
    progress = make_progress(stream, TERMINAL)
    progress.now("something")
    progress.result(CheckStatus.FAILED, "A", "b")
    progress.close()
    assert stream.getvalue() == ""

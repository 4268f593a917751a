"""Errors and signals become one line and an exit code."""

import io
import os
import signal
from collections.abc import Callable

import pytest

from harness.edge import at_the_edge, say, write_out
from harness.errors import HarnessError, UsageError


def raising(error: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("no such option"), 2, "serve: no such option\n"),
        (HarnessError("port 80 is in use"), 3, "serve: port 80 is in use\n"),
        (ZeroDivisionError("oops"), 3, "serve: internal error, ZeroDivisionError: oops\n"),
        (KeyboardInterrupt(), 130, "serve: interrupted\n"),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(error: BaseException, code: int, line: str) -> None:
    stderr = io.StringIO()
    assert at_the_edge("serve", raising(error), stderr=stderr) == code
    assert stderr.getvalue() == line


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_its_exit_code(number: int, code: int) -> None:
    def command() -> int:
        os.kill(os.getpid(), number)
        return 0

    assert at_the_edge("serve", command, stderr=io.StringIO()) == code


def test_what_the_command_returns_is_the_exit_code() -> None:
    assert at_the_edge("serve", lambda: 7) == 7


def test_control_characters_never_reach_the_terminal() -> None:
    stderr = io.StringIO()
    say(stderr, "serve", "bad \x1b[31m\r thing")
    assert "\x1b" not in stderr.getvalue()
    assert "\r" not in stderr.getvalue()


def test_text_is_printed_whatever_the_stream_s_encoding() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write_out(stream, "é\n")
    assert raw.getvalue() == b"?\n"

"""The one edge: where errors and signals become a line on stderr and an exit code."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

from harness import verdict
from harness.errors import HarnessError, UsageError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM arrived. A KeyboardInterrupt, because that is what asyncio lets through."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.received = received


def at_the_edge(name: str, command: Callable[[], int], *, stderr: TextIO | None = None) -> int:
    """Run a command that leaves no record (such as `serve`) and return its exit code; an error becomes one line."""
    stderr = sys.stderr if stderr is None else stderr
    try:
        with raising_on_signals():
            return command()
    except UsageError as error:
        say(stderr, name, str(error))
        return verdict.USAGE
    except KeyboardInterrupt as interruption:
        say(stderr, name, "interrupted")
        return verdict.exit_code(verdict.Status.INTERRUPTED, signal_of(interruption))
    except HarnessError as error:
        say(stderr, name, str(error))
    except Exception as error:  # noqa: BLE001 -- the edge: a traceback helps no operator
        say(stderr, name, f"internal error, {type(error).__name__}: {error}")
    return verdict.INCONCLUSIVE


@contextmanager
def raising_on_signals() -> Iterator[Callable[[], None]]:
    """Turn the first SIGINT or SIGTERM into Interrupted; later ones are ignored while the first is cleaned up after.

    Yields a function that makes even the first one be ignored, for the moments in which evidence is written. SIGINT
    counts even where the shell had it ignored: a job in the background can be interrupted too.
    """

    def interrupt(number: int, _frame: FrameType | None) -> None:
        hold()
        raise Interrupted(signal.Signals(number))

    def hold() -> None:
        # Not SIG_IGN: children started meanwhile would inherit that.
        for each in SIGNALS:
            signal.signal(each, _ignore)

    previous = {each: signal.signal(each, interrupt) for each in SIGNALS}
    try:
        yield hold
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Let a signal pass."""


def signal_of(interruption: KeyboardInterrupt) -> signal.Signals:
    """Which signal it was; a plain KeyboardInterrupt is SIGINT."""
    return interruption.received if isinstance(interruption, Interrupted) else signal.SIGINT


def say(stderr: TextIO, name: str, message: str) -> None:
    """The message on stderr, each of its lines (a problem each) with the command's name; never a control character."""
    for line in message.splitlines() or [""]:
        printable = "".join(letter if letter.isprintable() else " " for letter in line)
        write_out(stderr, f"{name}: {printable.strip()}\n")


def write_out(stdout: TextIO, text: str) -> None:
    """Print whatever the stream's encoding, to a reader that may have gone away (`| head`).

    Nothing is lost by that: the verdict is in the exit code and the record.
    """
    encoding = stdout.encoding or "utf-8"
    try:
        stdout.write(text.encode(encoding, "replace").decode(encoding))
        stdout.flush()
    except BrokenPipeError:
        if stdout is sys.stdout:
            # Else the interpreter would fail once more when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""What a person at a terminal sees while a job runs; everyone else sees nothing of it."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from harness.verdict import CheckStatus

STYLES = {
    CheckStatus.PASSED: "green",
    CheckStatus.FAILED: "bold red",
    CheckStatus.INCONCLUSIVE: "bold yellow",
    CheckStatus.NOT_APPLICABLE: "dim",
    CheckStatus.SKIPPED: "yellow",
    CheckStatus.WAIVED: "magenta",
}
_WIDEST = max(len(status) for status in CheckStatus)


class Progress(Protocol):
    """Told of events as they happen; shows them, or does not."""

    def now(self, what: str) -> None:
        """Something was begun: `what` in a few words."""

    def result(self, status: CheckStatus, title: str, reason: str) -> None:
        """A check has its answer."""

    def close(self) -> None:
        """Nothing more will come."""


class SilentProgress:
    """For pipes, files and `--json`."""

    def now(self, what: str) -> None:
        """Show nothing."""

    def result(self, status: CheckStatus, title: str, reason: str) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


class TerminalProgress:
    """A line per result, and below them what is running now with the time that it has taken."""

    def __init__(self, console: Console, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._monotonic = monotonic
        self._what = ""
        self._since = monotonic()
        # ASCII only: a fresh machine's terminal may have no UTF-8 locale.
        self._spinner = Spinner("line")
        # What others print is theirs: redirected, it would be wrapped to the terminal's width and no longer be pasted.
        self._live = Live(
            get_renderable=self._line,
            console=console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def now(self, what: str) -> None:
        """Name what is running and start its clock."""
        self._what, self._since = what, self._monotonic()

    def result(self, status: CheckStatus, title: str, reason: str) -> None:
        """Print the result above the running line; a reason only where it is needed."""
        if status in {CheckStatus.WAIVED, CheckStatus.NOT_APPLICABLE}:
            return  # counted in the summary, explained in the report: here they would hide what matters
        word = status.replace("_", " ")
        line = Text.assemble((f"{word:{_WIDEST}}", STYLES[status]), "  ", _one_line(title))
        if status is not CheckStatus.PASSED and reason:
            line.append(f": {_one_line(reason)}", style="dim")
        self._console.print(line)

    def close(self) -> None:
        """Take the running line away."""
        self._live.stop()

    def _line(self) -> RenderableType:
        if not self._what:
            return Text("")
        line = Table.grid(padding=(0, 1))
        seconds = int(self._monotonic() - self._since)
        line.add_row(self._spinner, Text(_one_line(self._what)), Text(f"{seconds} s", style="dim"))
        return line


def make_progress(stream: TextIO, environ: Mapping[str, str] = os.environ, *, silent: bool = False) -> Progress:
    """Progress on `stream` when a person can watch it there: a terminal that can move its cursor."""
    if silent or not stream.isatty() or environ.get("TERM") in {None, "", "dumb"}:
        return SilentProgress()
    return TerminalProgress(Console(file=stream, highlight=False, markup=False, emoji=False))


def _one_line(text: str) -> str:
    """One printable line: what a server under test says must not move the operator's cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

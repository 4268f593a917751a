"""The last thing a job prints for people: the verdict, what failed, what was not checked, what to do, where to look."""

import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.edge import write_out
from harness.progress import STYLES
from harness.record import RECORD_NAME, Check, Finding, RunRecord
from harness.report.digest import (
    Digest,
    NotChecked,
    accepted_findings,
    count_findings,
    duration,
    make_digest,
    open_findings,
    severity_of,
    why_failed,
)
from harness.verdict import CheckStatus, PartStatus, Status

MOST_ROWS = 40
"""Above that many checks the table lists only those that did not pass."""
MOST_FINDINGS = 5
"""Of one check; above that many the rest is only counted."""
MOST_WAIVED = 5
"""Above that many they are only counted: what fails must not scroll away under what is accepted."""
MOST_ALIKE = 3
"""Above that many checks that were left out for the same reason, they are told in one entry."""
WIDTH_IN_A_FILE = 120
_VERDICT_STYLES = {
    Status.PASSED: "bold green",
    Status.FAILED: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INTERRUPTED: "bold yellow",
}


def print_summary(record: RunRecord, directory: Path, stdout: TextIO, environ: Mapping[str, str] = os.environ) -> None:
    """Print the summary to `stdout`: coloured on a terminal, plain text anywhere else."""
    terminal = stdout.isatty() and environ.get("TERM") not in {None, "", "dumb"}
    text = io.StringIO()
    console = Console(
        file=text,
        force_terminal=terminal,
        no_color=bool(environ.get("NO_COLOR")),
        width=None if terminal else WIDTH_IN_A_FILE,
        highlight=False,
        markup=False,
        emoji=False,
    )
    digest = make_digest(record)
    console.print(_table_of_parts(digest) if digest.parts else _table_of_checks(record))
    console.print()
    line = Text(f"{record.status.upper()}  ", style=_VERDICT_STYLES[record.status])
    console.print(line.append(f"{digest.headline}.", style="default not bold"))
    _print_details(console, digest)
    console.print(f"\nReport  {directory / 'report.html'}", soft_wrap=True)
    console.print(f"Record  {directory / RECORD_NAME}", soft_wrap=True)
    write_out(stdout, "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def _table_of_checks(record: RunRecord) -> Table:
    counts = Counter(check.status for check in record.checks)
    quiet = {CheckStatus.SKIPPED} if counts[CheckStatus.SKIPPED] > MOST_ALIKE else set()
    if len(record.checks) - sum(counts[status] for status in quiet) > MOST_ROWS:
        quiet |= {CheckStatus.PASSED} | ({CheckStatus.WAIVED} if counts[CheckStatus.WAIVED] > MOST_WAIVED else set())
    shown = [check for check in record.checks if check.status not in quiet]
    table = _table("status", "check", "took")
    for check in shown:
        table.add_row(_word(check.status), printable(check.title), duration(check.duration_seconds))
    for status in (each for each in CheckStatus if each in quiet and counts[each]):
        table.add_row(_word(status), f"{counts[status]} more")
    return table


def _table_of_parts(digest: Digest) -> Table:
    table = _table("status", "part", "what it shows", "took")
    for each in digest.parts:
        counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in each.counts.items())
        table.add_row(_word(each.part.status), each.part.name, counts, duration(each.part.duration_seconds))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, header_style="dim", justify="right" if column == "took" else "left")
    return table


def _word(status: CheckStatus | PartStatus) -> Text:
    return Text(status.replace("_", " "), style=STYLES[CheckStatus(status)])


def _print_details(console: Console, digest: Digest) -> None:
    if digest.failed:
        console.print("\nFailed", style="bold")
    for check in digest.failed:
        _print_entry(console, check, f" ({check.severity})", why_failed(check))
        _print_findings(console, check)
    if digest.not_checked:
        _print_not_checked(console, digest.not_checked)
    if len(digest.accepting) > MOST_WAIVED:
        console.print(f"\nWaived: in {len(digest.accepting)} checks; the report gives each reason", style="bold")
    elif digest.accepting:
        console.print("\nWaived", style="bold")
        for check in digest.accepting:
            _print_accepted(console, check)
    if digest.to_do:
        console.print("\nWhat to do", style="bold")
    for line in digest.to_do:
        console.print(Padding(printable(line), (0, 0, 0, 2)))


def _print_not_checked(console: Console, not_checked: Sequence[NotChecked]) -> None:
    console.print("\nNOT CHECKED", style="bold")
    for alike in _alike(not_checked):
        first = alike[0]
        if len(alike) > MOST_ALIKE:
            # What was left out on request is known to whoever asked: its number is enough, and the reports name it.
            left_out = first.check.status is CheckStatus.SKIPPED
            names = "the report names them" if left_out else ", ".join(each.check.id for each in alike)
            console.print(Padding(printable(f"{len(alike)} checks ({first.why})"), (0, 0, 0, 2)))
            console.print(Padding(printable(f"{first.check.reason}: {names}"), (0, 0, 0, 4)))
        else:
            for each in alike:
                _print_entry(console, each.check, f" ({each.why})", each.check.reason)


def _alike(not_checked: Sequence[NotChecked]) -> list[list[NotChecked]]:
    """Checks without an answer, those that lack it for the same reason together."""
    found: dict[tuple[str, str], list[NotChecked]] = {}
    for each in not_checked:
        found.setdefault((each.why, each.check.reason), []).append(each)
    return list(found.values())


def _print_entry(console: Console, check: Check, remark: str, reason: str) -> None:
    console.print(Padding(printable(f"{check.id}: {check.title}{remark}"), (0, 0, 0, 2)))
    console.print(Padding(printable(reason), (0, 0, 0, 4)))


def _print_findings(console: Console, check: Check) -> None:
    """The worst findings of a check, and how many more there are."""
    findings = open_findings(check)
    for found in findings[:MOST_FINDINGS]:
        console.print(Padding(printable(f"{severity_of(found, check):<8}  {_place(found)}"), (0, 0, 0, 6)))
        console.print(Padding(printable(found.message), (0, 0, 0, 8)))
    if len(findings) > MOST_FINDINGS:
        console.print(Padding(f"and {len(findings) - MOST_FINDINGS} more in the report", (0, 0, 0, 6)))


def _print_accepted(console: Console, check: Check) -> None:
    """What of a check does not count: each finding with its reason, or why the whole check is waived."""
    accepted = accepted_findings(check)
    _print_entry(console, check, "", count_findings(len(accepted)) if accepted else check.reason)
    for found in accepted[:MOST_FINDINGS]:
        console.print(Padding(printable(_place(found)), (0, 0, 0, 6)))
        console.print(Padding(printable(found.accepted), (0, 0, 0, 8)))
    if len(accepted) > MOST_FINDINGS:
        console.print(Padding(f"and {len(accepted) - MOST_FINDINGS} more in the report", (0, 0, 0, 6)))


def _place(found: Finding) -> str:
    """Where a finding is, by what rule, and the fingerprint that a waiver of it names."""
    return " ".join(filter(None, (found.location, found.rule, f"[{found.fingerprint}]")))


def printable(text: str) -> Text:
    """Text that cannot move the operator's cursor, whatever the server under test said."""
    return Text("".join(letter if letter.isprintable() else " " for letter in text))

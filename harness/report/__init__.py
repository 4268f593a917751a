"""Reports made from a run record alone: HTML, Markdown, JUnit, SARIF; and the summary on a terminal.

Each writer is a module with `render(record) -> str`. The JSON report is the record itself.
"""

from pathlib import Path

from harness.files import write_atomically
from harness.record import RunRecord
from harness.report import html, junit, markdown, sarif

_WRITERS = {
    "report.html": html.render,
    "report.md": markdown.render,
    "report.sarif": sarif.render,
    "junit.xml": junit.render,
}
REPORT_NAMES = tuple(_WRITERS)


def write_reports(record: RunRecord, directory: Path) -> None:
    """Write every report beside the record. Raises OSError."""
    for name, render in _WRITERS.items():
        write_atomically(directory / name, render(record).encode())

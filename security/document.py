"""The command behind `./inv audit.document`: docs/SECURITY-AUDIT.md, written from the record of a real run."""

from pathlib import Path
from typing import TextIO

from harness.edge import write_out
from harness.errors import HarnessError, RecordError, UsageError
from harness.files import write_atomically
from harness.record import RunRecord, parse_record
from harness.report.markdown import render_page
from harness.verdict import PASSED, Status
from security.job import JOB

PAGE = "docs/SECURITY-AUDIT.md"
TITLE = "The security audit, as last published"
INTRODUCTION = """\
<!-- Written by `./inv audit.document` from the record of a run; changes by hand are lost. -->
What `./inv audit` said of this repository and of a server of this checkout, whole and unedited.
[AUDIT.md](AUDIT.md) says what each check does, how it is shown to fire, and how to run it yourself."""


def write_page(record: str, *, repository: Path, stdout: TextIO) -> int:
    """Write the page, and return the exit code. Raises UsageError for what is no record of a whole audit."""
    path = Path(record) if record else repository / "reports" / f"latest-{JOB}" / "record.json"
    found = _read(path)
    try:
        write_atomically(repository / PAGE, render_page(found, TITLE, INTRODUCTION).encode())
    except OSError as error:
        raise HarnessError(f"{PAGE} cannot be written: {error.strerror}") from error
    write_out(stdout, f"{PAGE} is written from {found.id}: {found.status}\n")
    return PASSED


def _read(path: Path) -> RunRecord:
    try:
        record = parse_record(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; run ./inv audit first") from None
    except RecordError as error:
        raise UsageError(f"{path}: {error}") from None
    if record.kind != JOB or record.arguments.get("only") or record.status is Status.INTERRUPTED:
        raise UsageError(f"{path}: it is no record of a whole audit, without --only and up to its end")
    return record

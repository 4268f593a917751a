"""--baseline: what an earlier record of the same job had found already does not fail this run, and is told as known."""

from collections.abc import Iterable
from pathlib import Path

from harness.acceptance import accept
from harness.errors import RecordError, UsageError
from harness.record import Check, RunRecord, parse_record
from harness.verdict import BOOKKEEPING


def load_baseline(path: Path, kind: str) -> RunRecord:
    """The record at `path`. Raises UsageError where there is none, it is not valid, or it is another job's."""
    try:
        record = parse_record(path.read_bytes())
    except OSError as error:
        raise UsageError(f"--baseline {path}: {error.strerror}") from None
    except RecordError as error:
        raise UsageError(f"--baseline {path}: {error}") from None
    if record.kind != kind:
        raise UsageError(f"--baseline {path}: it is a record of {record.kind}, not of {kind}")
    return record


def apply_baseline(checks: Iterable[Check], baseline: RunRecord) -> tuple[Check, ...]:
    """The checks with every finding marked as known that stands in the baseline, whichever check of it found it.

    A failed check becomes waived where that leaves nothing. Checks on the run itself are left as they are: that a
    waiver has expired must go on failing.
    """
    why = f"known: it stands in the baseline {baseline.id} of {baseline.started:%Y-%m-%d}"
    known = {found.fingerprint: why for check in baseline.checks for found in check.findings}
    return tuple(check if check.id.rpartition(".")[2] in BOOKKEEPING else accept(check, known) for check in checks)

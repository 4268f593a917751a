"""The verdict rules: what a check, a part and a whole run may say, which of them wins, and the exit code of each."""

import signal
from collections.abc import Collection, Iterable
from enum import StrEnum


class CheckStatus(StrEnum):
    """What one check found."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    """It could not be measured."""
    NOT_APPLICABLE = "not_applicable"
    SKIPPED = "skipped"
    """Left out on request."""
    WAIVED = "waived"
    """It failed, and waivers.toml accepts that for now, or --baseline knows all that it found."""


class Status(StrEnum):
    """What a whole run came to."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    INTERRUPTED = "interrupted"


class PartStatus(StrEnum):
    """What became of one part of a nightly run."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """How bad it is when a check fails."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


PASSED, FAILED, USAGE, INCONCLUSIVE = 0, 1, 2, 3
INTERRUPTED = {signal.SIGINT: 130, signal.SIGTERM: 143}

BOOKKEEPING = frozenset({"waivers", "ran", "sbom", "files"})
"""Last words of the ids of checks on the run itself: where they alone answer, nothing was shown of the target."""

_ANSWERS = frozenset({CheckStatus.PASSED, CheckStatus.WAIVED})
_EXIT_CODES = {
    Status.PASSED: {PASSED},
    Status.FAILED: {FAILED},
    Status.INCONCLUSIVE: {INCONCLUSIVE},
    Status.INTERRUPTED: set(INTERRUPTED.values()),
}


def judge(checks: Iterable[tuple[str, CheckStatus]], allowed: Collection[str] = ()) -> Status:
    """The verdict on (check id, status) pairs: failed before inconclusive before passed.

    An inconclusive check whose id is in `allowed` does not count. What was waived was measured, and accepted by
    somebody: that is an answer as good as a pass. Without one of the two nothing was shown: inconclusive.
    """
    seen = {
        status
        for name, status in checks
        if not (status is CheckStatus.INCONCLUSIVE and name in allowed)
        and not (status in _ANSWERS and name.rpartition(".")[2] in BOOKKEEPING)
    }
    if CheckStatus.FAILED in seen:
        return Status.FAILED
    if CheckStatus.INCONCLUSIVE in seen or not seen & _ANSWERS:
        return Status.INCONCLUSIVE
    return Status.PASSED


def exit_codes(status: Status) -> Collection[int]:
    """The exit codes that agree with a run's status: one, or one per signal when it was interrupted."""
    return _EXIT_CODES[status]


def exit_code(status: Status, interrupted_by: signal.Signals | None = None) -> int:
    """The process exit code of a run that ended with `status`."""
    if interrupted_by is not None:
        return INTERRUPTED[interrupted_by]
    (code,) = _EXIT_CODES[status]
    return code

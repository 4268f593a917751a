"""The errors of backups: what could not be found out, and what was found and is wrong."""

from harness.errors import HarnessError


class BackupError(HarnessError):
    """A backup could not be taken, read or opened: nothing is known of it. Inside a check: inconclusive."""


class DamageError(BackupError):
    """It was read, and it is not what it must be. Inside a step of a verification: failed."""

"""The errors of perf: each means that something could not be measured, in one line."""

from harness.errors import HarnessError


class PerfError(HarnessError):
    """A measurement did not come about, for a reason that one line explains: inconclusive, exit 3."""

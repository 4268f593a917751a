"""The night's jobs, run in turn as child processes and merged into one record."""

from harness.nightly.model import Job, NightlyTable
from harness.nightly.runner import run_nightly

__all__ = ["Job", "NightlyTable", "run_nightly"]

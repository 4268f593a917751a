"""A night as a program, for the tests of its interruption."""

import os
import sys
from pathlib import Path

from harness.nightly import Job, run_nightly

if __name__ == "__main__":
    jobs = [Job(name=mode.replace("_", "-"), command=(mode,), budget_seconds=60) for mode in sys.argv[1:]]
    code = run_nightly(
        jobs,
        directory=Path.cwd(),
        environment=dict(os.environ),
        reports_directory=Path(os.environ["FAKE_REPORTS"]),
        program=(sys.executable, str(Path(__file__).with_name("fake_job.py"))),
        stop_seconds=10,
    )
    sys.exit(code)

"""The benchmarks are no part of `./inv test`; that each of them still runs is."""

import os
import re
import subprocess
import sys

from harness.process import child_environment
from harness.repository import REPOSITORY

HOT_PATHS = {"audit", "authentication", "cache", "limiter", "merge", "protocol", "stores", "vault"}


def test_each_hot_path_has_benchmarks_that_can_be_run_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--benchmark-disable", "tests/benchmarks"],
        cwd=REPOSITORY,
        # Not pytest's own variables: the arms of a comparison do not have them either.
        env=child_environment({}, os.environ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.findall(r"^tests/benchmarks/test_(\w+)_benchmark\.py::\S+ PASSED", done.stdout, re.MULTILINE)
    assert set(passed) == HOT_PATHS, done.stdout

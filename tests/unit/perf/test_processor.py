"""The clock of a process: it goes while the process works, and only then."""

import os
import time

import pytest

from perf.processor import processor_seconds


def test_it_is_the_processor_time_of_the_process_to_the_nanosecond() -> None:
    before, own = processor_seconds(os.getpid()), time.process_time()
    sum(range(1_000_000))
    after = processor_seconds(os.getpid())

    assert before <= own
    assert after - before == pytest.approx(time.process_time() - own, abs=0.002)
    assert after > before


def test_a_process_that_is_gone_has_none() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)

    with pytest.raises(OSError, match=r".+"):
        processor_seconds(child)

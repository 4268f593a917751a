"""What tests of an upstream in trouble have in common: one era, and a fault that has met a call."""

import pytest

from tests.integration.server.bench import ERAS, Bench
from tests.integration.server.operating import wait_until

# What happens upstream is the same in both eras, and much of it takes its time: the newest revision stands.
NEWEST_ERA = pytest.mark.parametrize("era", ERAS[-1:])


def wait_for_fault(bench: Bench) -> None:
    """Return once the first of the faults in force has met a call: that call is under way."""
    wait_until(lambda: bool(bench.upstream.control.faults()[0]["fired"]), "a call meets the fault")

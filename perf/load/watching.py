"""While k6 runs: one reading a second, a line of progress from it, and an early end where there is no hope."""

import math

from harness.process import ChildProcess
from harness.progress import Progress
from perf.load.hopeless import why_hopeless
from perf.load.model import Profile
from perf.load.sampling import Sampler
from perf.load.windows import Window, make_windows


class Watching:
    """Called by run_k6 each second. `given_up` is why the load was ended early, empty where it was not."""

    def __init__(self, sampler: Sampler, profile: Profile, progress: Progress, name: str) -> None:
        self.given_up = ""
        self._sampler = sampler
        self._profile = profile
        self._progress = progress
        self._name = name
        self._began: float | None = None

    def __call__(self, generator: ChildProcess) -> None:
        """Read, tell, and end the load where it is hopeless."""
        before = self._sampler.readings[-1]
        reading = self._sampler.read(generator)
        # The script's own first questions are its warm-up: users are counted from the load's beginning on.
        if self._began is None and reading.under_load:
            self._began = reading.at
        if self._began is None:
            return
        (window,) = make_windows((before, reading))
        self._progress.now(progress_line(self._name, window, reading.at - self._began, self._profile.seconds))
        self.given_up = self.given_up or why_hopeless(self._sampler.readings, self._profile, began=self._began)
        if self.given_up:
            self._sampler.stop_generator()


def progress_line(name: str, window: Window, seconds: float, of_seconds: int) -> str:
    """What a person at a terminal sees: the current rate, errors and p95."""
    p95 = "unknown" if math.isnan(window.p95_milliseconds) else f"≤ {window.p95_milliseconds:g} ms"
    rates = f"{window.requests:.0f} requests/s, {window.failed:.0f} errors/s, p95 {p95}"
    return f"{name}: {min(seconds, of_seconds):.0f} of {of_seconds} s, {rates}"

"""Run k6 on one script and read what it saw; nothing is judged here."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.process import ChildProcess, Command, child_environment, running
from harness.repository import REPOSITORY
from perf.errors import PerfError
from perf.load.model import Profile

MIX = REPOSITORY / "perf" / "k6" / "mix.js"
SCRIPTS = MIX.parent
# Without the first it reports to its maker, and without an address it opens port 6565.
FLAGS = ("--no-usage-report", "--quiet", "--no-color")
NO_API, ANY_PORT = "--address=", "--address=127.0.0.1:0"
ALL_HELD, CROSSED, STOPPED = 0, 99, 103
"""k6's exit codes: every threshold held, one was crossed, or it was ended through its API."""
GRACE_SECONDS = 120.0
TICK_SECONDS, POLL_SECONDS = 1.0, 0.02

Watch = Callable[[ChildProcess], None]
"""Called each second while k6 runs."""


@dataclass(frozen=True)
class ContentCheck:
    """How often an answer's content was right, and how often not."""

    name: str
    passes: int
    fails: int


@dataclass(frozen=True)
class Summary:
    """What handleSummary was given: metrics by name, the content checks; and whether a threshold was crossed."""

    metrics: Mapping[str, Mapping[str, Any]]
    content: tuple[ContentCheck, ...]
    crossed: bool

    def value(self, metric: str, statistic: str) -> float | None:
        """A metric's statistic; None when the metric has no samples."""
        found = self.metrics.get(metric, {}).get("values", {}).get(statistic)
        return None if found is None else float(found)

    def count(self, metric: str) -> int:
        """How many samples a metric has."""
        return round(self.value(metric, "count") or 0)


def find_k6() -> Path:
    """Where the k6 of this environment is."""
    return Path(sys.executable).parent / "k6"


def run_k6(
    program: Path,
    script: Path,
    profile: Profile,
    endpoint: Mapping[str, Any],
    *,
    directory: Path,
    environ: Mapping[str, str],
    watch: Watch | None = None,
) -> Summary:
    """Return what k6 saw; its log and summary stay in `directory`. Raises PerfError when it did not come to its end.

    Who watches may end it early through its API, which is an end.
    """
    summary = directory / "k6-summary.json"
    settings = {
        "LOAD_PROFILE": profile.model_dump_json(),
        "LOAD_ENDPOINT": json.dumps(endpoint),
        "LOAD_SUMMARY": str(summary),
    }
    if not program.is_file():
        raise PerfError(
            f"k6 is missing: {program.name} is not in {program.parent}; ./inv installs it with the ops extra"
        )
    arguments = (str(program), "run", *FLAGS, ANY_PORT if watch else NO_API, str(script))
    command = Command("k6", arguments, child_environment(settings, environ), REPOSITORY)
    with running(command, logs=directory / "logs") as child:
        if watch is not None:
            _watch(child, watch, profile.seconds + GRACE_SECONDS)
        code = child.wait(seconds=GRACE_SECONDS if watch else profile.seconds + GRACE_SECONDS)
        if code not in {ALL_HELD, CROSSED, STOPPED}:
            raise child.failure("did not come to its end")
    return read_summary(summary, crossed=None if code == STOPPED else code == CROSSED)


def _watch(child: ChildProcess, watch: Watch, seconds: float) -> None:
    """Call `watch` at the start of each second until k6 ends, or `seconds` are over."""
    began = time.monotonic()
    next_tick = began + TICK_SECONDS
    while child.exit_code is None and time.monotonic() < began + seconds:
        if time.monotonic() >= next_tick:
            watch(child)
            next_tick += TICK_SECONDS
            # A look that took longer than a second does not make the next ones come in a row.
            if next_tick <= time.monotonic():
                next_tick = time.monotonic() + TICK_SECONDS
        time.sleep(POLL_SECONDS)


def read_summary(path: Path, *, crossed: bool | None) -> Summary:
    """Return the summary in a file; `crossed` is what k6's exit code said of thresholds, None where it said nothing.

    Raises PerfError when it is missing, not what k6's handleSummary gives, or contradicts the exit code.
    """
    try:
        data = json.loads(path.read_bytes())
        content = tuple(
            ContentCheck(each["name"], each["passes"], each["fails"]) for each in data["root_group"]["checks"]
        )
        metrics = data["metrics"]
        broken = any(not held["ok"] for metric in metrics.values() for held in metric.get("thresholds", {}).values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PerfError(f"k6 left no usable summary: {type(error).__name__}: {error}") from error
    if crossed is not None and broken != crossed:
        raise PerfError("k6's exit code and its summary disagree on whether a threshold was crossed")
    return Summary(metrics, content, broken)

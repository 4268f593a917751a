"""The job behind `./inv bench`: the work tree measured alone, or two revisions by turns; its record written."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.collector import Run
from harness.config import load
from harness.errors import UsageError
from harness.job import run_configured, spell
from perf.bench.judge import judge_alone, judge_names, judge_speed
from perf.bench.model import BenchTable, Stats
from perf.bench.suite import FOLDER, Tree, collect, measure
from perf.blocks import SIDES, Side, turns
from perf.errors import PerfError
from perf.revisions import find_commit, side_by_side


@dataclass(frozen=True)
class Place:
    """Where the job finds the repository, and the shell's variables."""

    repository: Path
    environ: Mapping[str, str]


def run_bench(
    base: str,
    head: str,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
) -> int:
    """Return the exit code of the benchmarks, their record written. Without `base` the work tree is measured alone.

    Raises UsageError for an unusable ops.toml or waivers.toml, and for a revision that does not exist.
    """
    configuration = load(repository / "ops.toml", {"bench": BenchTable})
    table = configuration.table("bench", BenchTable)
    if head and not base:
        raise UsageError("--head needs --base: name the revision to compare with")
    named = {"base": base, "head": head or "HEAD"} if base else {}
    commits = {side: find_commit(repository, revision, environ=environ) for side, revision in named.items()}
    place = Place(repository, environ)

    def body(run: Run) -> None:
        if commits:
            compare(run, commits, table, place)
        else:
            measure_work_tree(run, table, place)

    return run_configured(
        "bench",
        body,
        configuration,
        arguments={**spell("bench", [("--base", base), ("--head", head)], allow_inconclusive), **commits},
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


def measure_work_tree(run: Run, table: BenchTable, place: Place) -> None:
    """Run each benchmark of the work tree, and judge whether it ran."""
    tree = Tree("work-tree", place.repository, Path(sys.executable), run.directory / "logs", place.environ)
    names = collect(tree)
    if not names:
        raise PerfError(f"there are no benchmarks in {FOLDER}")
    run.progress.now(f"measuring {len(names)} benchmarks")
    judge_alone(run, names, measure(tree, table), table)


def compare(run: Run, commits: Mapping[str, str], table: BenchTable, place: Place) -> None:
    """Check both commits out, measure head's benchmarks on both servers by turns, and judge them."""
    logs = run.directory / "logs"
    with side_by_side(place.repository, commits, logs=logs, environ=place.environ, tell=run.progress.now) as checkouts:
        trees: dict[Side, Tree] = {
            side: Tree(side, found.checkout, found.python, logs / side, place.environ)
            for side, found in checkouts.items()
        }
        base, head = trees["base"], trees["head"]
        if not base.benchmarks.is_dir():
            raise PerfError(f"base ({commits['base'][:12]}) has no {FOLDER}: there is nothing to compare with")
        names = collect(base), collect(head)
        judge_names(run, *names)
        shared = names[0] & names[1]
        if not shared:
            return
        # One benchmark on two servers: that a benchmark itself was changed must not look like the server's doing.
        shutil.rmtree(base.benchmarks)
        shutil.copytree(head.benchmarks, base.benchmarks)
        arms = _by_turns(run, trees, table)
    if arms is not None:
        judge_speed(run, shared, arms, table)


def _by_turns(run: Run, trees: Mapping[Side, Tree], table: BenchTable) -> dict[Side, list[dict[str, Stats]]] | None:
    """What each side's processes measured; None when they did not all come to their end."""
    arms: dict[Side, list[dict[str, Stats]]] = {side: [] for side in SIDES}
    wanted = 4 * table.blocks
    with run.check("blocks", f"{table.blocks} blocks ABBA are measured", at_least=wanted) as check:
        for side in (side for pair in turns(2 * table.blocks) for side in pair):
            run.progress.now(f"process {check.examined + 1} of {wanted}: {side}")
            arms[side].append(measure(trees[side], table))
            check.examined += 1
    kept = {side: [{name: arm[name].model_dump() for name in arm} for arm in arms[side]] for side in SIDES}
    run.artifact_path("arms.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return arms if check.examined == wanted else None

"""The job behind `./inv load.compare`: both revisions checked out, loaded by turns and judged; its record written."""

import dataclasses
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from harness.collector import Run
from harness.config import load
from harness.errors import UsageError
from harness.job import run_configured, spell
from harness.machine import read_environment, read_revision
from harness.sandbox.client import SandboxClient
from harness.targets import start_sandbox
from perf.blocks import SIDES, Side, turns
from perf.compare.comparable import refuse_incomparable
from perf.compare.generator import Slice
from perf.compare.judge import judge_arms
from perf.compare.model import CompareProfile, CompareTable
from perf.compare.sides import BrokenSideError, Contender, Stage, measure_pair, prepare_side
from perf.errors import PerfError
from perf.load.model import LoadTable
from perf.revisions import Checkout, find_commit, side_by_side

UNLIMITED = 1_000_000_000
"""The sandbox's bucket: what OrderDesk would refuse is no question of this comparison."""
ORDERS = 200


@dataclass(frozen=True)
class Asked:
    """What `./inv load.compare` was asked for."""

    base: str
    head: str
    profile: str


def run_compare(
    asked: Asked,
    *,
    repository: Path,
    environ: Mapping[str, str],
    as_json: bool = False,
    allow_inconclusive: Sequence[str] = (),
) -> int:
    """Return the exit code of the comparison, its record written.

    Raises UsageError for an unusable ops.toml or waivers.toml, an unknown profile, and a revision that does not exist.
    """
    configuration = load(repository / "ops.toml", {"load": LoadTable})
    table = configuration.table("load", LoadTable).compare
    profile = table.find(asked.profile)
    if not asked.base:
        raise UsageError("--base is missing: name the revision to compare with")
    named = {"base": asked.base, "head": asked.head or "HEAD"}
    commits = {side: find_commit(repository, revision, environ=environ) for side, revision in named.items()}
    named_in_full = " and ".join(f"{side} ({commit[:12]})" for side, commit in commits.items())
    if read_revision(repository).dirty:
        named_in_full += ", both without what is not committed,"

    def body(run: Run) -> None:
        logs = run.directory / "logs"
        with side_by_side(repository, commits, logs=logs, environ=environ, tell=run.progress.now) as checkouts:
            arms = measure_arms(run, checkouts, table, profile, environ=environ, named=named_in_full)
        if arms is not None:
            judge_arms(run, arms, table)

    return run_configured(
        "load.compare",
        body,
        configuration,
        arguments={
            **spell(
                "load.compare",
                [("--base", asked.base), ("--head", asked.head), ("--profile", asked.profile)],
                allow_inconclusive,
            ),
            "profile": asked.profile,
            **commits,
        },
        as_json=as_json,
        allow_inconclusive=allow_inconclusive,
    )


def measure_arms(
    run: Run,
    checkouts: Mapping[Side, Checkout],
    table: CompareTable,
    profile: CompareProfile,
    *,
    environ: Mapping[str, str],
    named: str,
) -> dict[Side, list[list[Slice]]] | None:
    """What each fresh server did under its load; None when the blocks did not all come to their end.

    `named` is what the report calls both sides.

    Raises HarnessError when a side does not start, or the two cannot be compared.
    """
    logs = run.directory / "logs"
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        raise PerfError("needs two processors: one for the server, one for the generator")
    with (
        tempfile.TemporaryDirectory(prefix="quartermaster-compare-") as state,
        start_sandbox(logs=logs, environ=environ, orders=ORDERS) as sandbox,
    ):
        with SandboxClient(sandbox.base_url) as control:
            control.bucket(capacity=UNLIMITED, refill_per_second=UNLIMITED)
        stage = Stage(
            sandbox,
            profile,
            table.warm_up_seconds,
            table.seconds,
            (processors[0], processors[-1]),
            Path(state),
            environ,
        )
        contenders = {}
        for side in SIDES:
            run.progress.now(f"preparing {side}: its database, a tenant, the answers that it gives")
            contenders[side] = prepare_side(side, checkouts[side], stage, logs=logs / side)
        with run.check("comparable", f"{named} answer the same calls in the same shape") as check:
            refuse_incomparable(contenders["base"], contenders["head"])
            check.examined = len(profile.calls)
        return _by_turns(run, contenders, stage, table.blocks) if check.examined else None


def _by_turns(
    run: Run, contenders: Mapping[Side, Contender], stage: Stage, blocks: int
) -> dict[Side, list[list[Slice]]] | None:
    arms: dict[Side, list[list[Slice]]] = {side: [] for side in SIDES}
    wanted = 2 * blocks
    machine, stolen = read_environment().fingerprint, _stolen()
    with run.check(
        "blocks", f"{blocks} blocks ABBA are measured, every answer the right one", at_least=wanted
    ) as check:
        for first, second in turns(wanted):
            run.progress.now(f"pair {check.examined + 1} of {wanted}: fresh servers of {first} and {second}")
            try:
                pair = measure_pair(contenders[first], contenders[second], stage)
            except BrokenSideError as error:
                # What base gets wrong says nothing of head.
                if error.side == "base":
                    raise
                check.fail(str(error))
                break
            if read_environment().fingerprint != machine:
                raise PerfError("not comparable: the machine is another one than at the start")
            for side in SIDES:
                arms[side].append(pair[side])
            check.examined += 1
    run.measure("machine.stolen", _stolen() - stolen, "s", statistic="sum")
    kept = {side: [[dataclasses.asdict(each) for each in arm] for arm in arms[side]] for side in SIDES}
    run.artifact_path("arms.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return arms if check.examined == wanted else None


def _stolen() -> float:
    """Processor seconds that the host gave to other machines since this one started; 0 where it does not tell."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))

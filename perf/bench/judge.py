"""From figures to checks: benchmarks that are gone, that did not run, and that became slower."""

import re
from collections.abc import Collection, Mapping, Sequence

from harness.collector import OpenCheck, Run
from harness.errors import Inconclusive
from harness.record import Check
from harness.verdict import CheckStatus
from perf.bench.model import BenchTable, Stats
from perf.bench.suite import FOLDER
from perf.blocks import Side, by_block, effect
from perf.loss import judge_loss, tell_effect

Arms = Mapping[Side, Sequence[Mapping[str, Stats]]]
"""What each process measured, by side, in the order they ran in."""


def judge_names(run: Run, base: Collection[str], head: Collection[str]) -> None:
    """Fail for every benchmark of base that head does not have; a waiver may accept one that went on purpose."""
    with run.check("benchmarks", "every benchmark of base is there in head") as check:
        check.examined = len(base)
        for name in sorted(set(base) - set(head)):
            check.find("disappeared", f"{name} is in base and not in head", location=name)
    for name in sorted(set(head) - set(base)):
        reason = "new in head: base has nothing to compare it with"
        title, status = f"{short(name)} is no slower", CheckStatus.NOT_APPLICABLE
        run.add_check(Check(id=identity(name), title=title, status=status, reason=reason))


def judge_alone(run: Run, names: Collection[str], figures: Mapping[str, Stats], table: BenchTable) -> None:
    """Record what each benchmark measured; it passes when it ran with enough rounds."""
    for name in sorted(names):
        with run.check(identity(name), f"{short(name)} runs in at least {table.minimum_rounds} rounds") as check:
            stats = _complete(check, [figures], name, table)[0]
            measure_seconds(run, name, stats.median, stats.rounds)


def judge_speed(run: Run, names: Collection[str], arms: Arms, table: BenchTable) -> None:
    """Compare each benchmark: slower by more than the limit, and surely slower, fails.

    A side's figure of a block is its quickest round there. Measured on a machine with neighbours: a median is that of
    whichever speed the processor had just then, half as slow again or not, while the quickest rounds agree to 3 %.
    """
    for name in sorted(names):
        title = f"{short(name)} is at most {table.slower_percent:g} % slower"
        with run.check(identity(name), title) as check:
            base, head = (
                by_block([stats.min for stats in _complete(check, arms[side], name, table)], min)
                for side in ("base", "head")
            )
            found = effect(base, head, comparisons=len(names))
            tell_effect(run, check, "bench.ratio", found, benchmark=short(name))
            judge_loss(check, found, table, table="bench")


def measure_seconds(run: Run, name: str, seconds: float, rounds: int) -> None:
    """Record how long a benchmark took."""
    run.measure("bench.seconds", seconds, "s", statistic="median", samples=rounds, labels={"benchmark": short(name)})


def short(name: str) -> str:
    """A benchmark's id without the folder that all of them are in."""
    return name.removeprefix(f"{FOLDER}/")


def identity(name: str) -> str:
    """The id of a benchmark's check."""
    return re.sub(r"[^A-Za-z0-9_.:/@+=-]", "_", short(name))


def _complete(check: OpenCheck, arms: Sequence[Mapping[str, Stats]], name: str, table: BenchTable) -> list[Stats]:
    """What a benchmark measured in every process. Raises Inconclusive where it did not run, or in too few rounds."""
    found = [arm[name] for arm in arms if name in arm]
    if len(found) < len(arms):
        raise Inconclusive(f"did not pass in {len(arms) - len(found)} of {len(arms)} processes: see logs/")
    fewest = min(stats.rounds for stats in found)
    if fewest < table.minimum_rounds:
        raise Inconclusive(f"ran in {fewest} rounds, {table.minimum_rounds} needed")
    check.examined += len(found)
    return found

"""Blocks of load on every arm by turns: in each a fresh generator warms up, then another one measures."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.process import Command, ProcessError, child_environment, run
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from perf.peers.arms import BARE, ORDERS, OUR_TRIVIAL, OURS, PEER, Arm, Row, new_tenant_arm, new_trivial_arm
from perf.peers.counts import Reading, read_counts
from perf.peers.generator import FAILED
from perf.peers.plan import Outcome, Plan
from perf.peers.session import UnexpectedAnswerError

VERSION = "2025-11-25"
"""The revision that all are called in: the peers keep a session then, as their clients know it, and FastMCP is at its
fastest."""


@dataclass(frozen=True)
class Stage:
    """The servers and how they are loaded."""

    target: LocalTarget
    others: Sequence[Arm]
    connections: int
    warm_up_seconds: float
    seconds: float
    processor: int
    environ: Mapping[str, str]
    logs: Path


@dataclass(frozen=True)
class Counted:
    """Our block, and what the server counted before and after its load.

    `audited` is how many calls of the tool its tenant has made in all, so how many rows the audit log must have.
    """

    tenant_id: str
    outcome: Outcome
    before: Reading
    after: Reading
    audited: int


@dataclass(frozen=True)
class Round:
    """One block of each arm; `outcomes` has our own, too."""

    ours: Counted
    outcomes: Mapping[Row, Outcome]

    def ratio(self, row: Row, other: Row) -> float:
        """The calls per second of one row over those of another."""
        return self.outcomes[row].calls_per_second / self.outcomes[other].calls_per_second


def alternate(stage: Stage, rounds: int) -> Iterator[Round]:
    """Yield each round when it is measured, every other one in reverse. Raises UnexpectedAnswerError.

    What ours is judged by, PEER and BARE, must be among the others and stands beside it: they meet the same minute.
    """
    others = {arm.row: arm for arm in stage.others}
    rows = [PEER, OURS, BARE, *(row for row in others if row not in {PEER, BARE}), OUR_TRIVIAL]
    for number in range(rounds):
        outcomes = {}
        for row in reversed(rows) if number % 2 else rows:
            if row == OURS:
                ours = our_block(stage)
                outcomes[row] = ours.outcome
            elif row == OUR_TRIVIAL:
                outcomes[row] = our_trivial_block(stage)
            else:
                generate(others[row], stage, stage.warm_up_seconds)
                outcomes[row] = generate(others[row], stage, stage.seconds)
        yield Round(ours, {row: outcomes[row] for row in rows})


def our_block(stage: Stage) -> Counted:
    """Load the local target as a tenant that has made no call before."""
    arm = new_tenant_arm(stage.target)
    warm = generate(arm, stage, stage.warm_up_seconds)
    before = read_counts(stage.target, arm)
    outcome = generate(arm, stage, stage.seconds)
    after = read_counts(stage.target, arm)
    audited = 2 * ORDERS + warm.calls + outcome.calls
    return Counted(str(arm.tenant_id), outcome, before, after, audited)


def our_trivial_block(stage: Stage) -> Outcome:
    """Load the local target with pings, which are so quick that one tenant's reserve is not enough for both loads."""
    generate(new_trivial_arm(stage.target), stage, stage.warm_up_seconds)
    return generate(new_trivial_arm(stage.target), stage, stage.seconds)


def generate(arm: Arm, stage: Stage, seconds: float) -> Outcome:
    """Run the generator, as a process of its own. Raises UnexpectedAnswerError, and ProcessError when it fails."""
    plan = plan_for(arm, stage, seconds, stage.connections)
    return Outcome(**json.loads(run_generator("perf.peers.generator", (plan,), arm, stage)))


def plan_for(arm: Arm, stage: Stage, seconds: float, connections: int) -> Plan:
    """What a generator is told that loads an arm."""
    return Plan(
        host=arm.host,
        port=arm.port,
        token=arm.token,
        version=VERSION,
        connections=connections,
        seconds=seconds,
        processor=stage.processor,
        server_pid=arm.pid,
        calls=arm.calls,
    )


def run_generator(module: str, plans: Sequence[Plan], arm: Arm, stage: Stage, *arguments: str) -> str:
    """Return what a generator printed. Raises UnexpectedAnswerError, and ProcessError when it fails."""
    with contextlib.ExitStack() as stack:
        names = []
        for plan in plans:
            # A file, readable by its owner alone: the plan holds a key.
            file = stack.enter_context(tempfile.NamedTemporaryFile(prefix="quartermaster-plan-", suffix=".json"))
            file.write(plan.dump())
            file.flush()
            names.append(file.name)
        words = (sys.executable, "-m", module, *names, *arguments)
        command = Command("generator", words, child_environment({}, stage.environ), REPOSITORY)
        try:
            return run(command, logs=stage.logs, seconds=sum(plan.seconds for plan in plans) + 60)
        except ProcessError as error:
            if error.exit_code == FAILED:
                raise UnexpectedAnswerError(f"{arm.row.server}: {error.last_lines[-1]}") from error
            raise

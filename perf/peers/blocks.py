"""Blocks of load on the two servers by turns: in each a fresh generator warms up, then another one measures."""

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.process import Command, ProcessError, child_environment, run
from harness.repository import REPOSITORY
from harness.targets import LocalTarget
from perf.blocks import turns
from perf.peers.arms import ORDERS, Arm, new_tenant_arm
from perf.peers.counts import Reading, read_counts
from perf.peers.generator import FAILED
from perf.peers.plan import Outcome, Plan
from perf.peers.session import UnexpectedAnswerError

VERSION = "2025-11-25"
"""The revision that both are called in: FastMCP keeps a session then, as its clients know it, and is at its fastest."""


@dataclass(frozen=True)
class Stage:
    """The two servers and how they are loaded."""

    target: LocalTarget
    peer: Arm
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
class Pair:
    """One block of each."""

    ours: Counted
    peer: Outcome

    @property
    def ratio(self) -> float:
        """Our calls per second over the peer's."""
        return self.ours.outcome.calls_per_second / self.peer.calls_per_second


def alternate(stage: Stage, pairs: int) -> Iterator[Pair]:
    """Yield each pair when it is measured, in the order ABBA. Raises UnexpectedAnswerError at a wrong answer."""
    for first, _ in turns(pairs):
        if first == "head":
            ours = our_block(stage)
            yield Pair(ours, peer_block(stage))
        else:
            peer = peer_block(stage)
            yield Pair(our_block(stage), peer)


def our_block(stage: Stage) -> Counted:
    """Load the local target as a tenant that has made no call before."""
    arm = new_tenant_arm(stage.target)
    warm = generate(arm, stage, stage.warm_up_seconds)
    before = read_counts(stage.target, arm)
    outcome = generate(arm, stage, stage.seconds)
    after = read_counts(stage.target, arm)
    audited = 2 * ORDERS + warm.calls + outcome.calls
    return Counted(str(arm.tenant_id), outcome, before, after, audited)


def peer_block(stage: Stage) -> Outcome:
    """Load the peer."""
    generate(stage.peer, stage, stage.warm_up_seconds)
    return generate(stage.peer, stage, stage.seconds)


def generate(arm: Arm, stage: Stage, seconds: float) -> Outcome:
    """Run the generator, as a process of its own. Raises UnexpectedAnswerError, and ProcessError when it fails."""
    plan = Plan(
        host=arm.host,
        port=arm.port,
        token=arm.token,
        version=VERSION,
        connections=stage.connections,
        seconds=seconds,
        processor=stage.processor,
        server_pid=arm.pid,
        calls=arm.calls,
    )
    # A file, readable by its owner alone: the plan holds a key.
    with tempfile.NamedTemporaryFile(prefix="quartermaster-plan-", suffix=".json") as file:
        file.write(plan.dump())
        file.flush()
        arguments = (sys.executable, "-m", "perf.peers.generator", file.name)
        command = Command("generator", arguments, child_environment({}, stage.environ), REPOSITORY)
        try:
            printed = run(command, logs=stage.logs, seconds=seconds + 60)
        except ProcessError as error:
            if error.exit_code == FAILED:
                raise UnexpectedAnswerError(f"{arm.name}: {error.last_lines[-1]}") from error
            raise
    return Outcome(**json.loads(printed))

"""The load generator, a process of its own: `python -m perf.compare.generator WARM_UP_SECONDS base=PLAN head=PLAN`.

The closed loop of `perf.peers.generator`, each answer compared byte for byte, on two servers by turns: a slice on the
one, two on the other, and so on. A machine with neighbours changes its speed within a second, and that must meet both.
"""

import contextlib
import dataclasses
import math
import os
import select
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perf.blocks import turns
from perf.errors import PerfError
from perf.peers.generator import Lane, print_result
from perf.peers.plan import Plan
from perf.peers.session import UnexpectedAnswerError, close_session, open_session, rehearse
from perf.peers.wire import ANSWER_SECONDS, WireError, connect
from perf.processor import processor_seconds

SLICE_SECONDS = 0.25


@dataclass(frozen=True)
class Slice:
    """A part of a server's load: calls answered, seconds, processor seconds, the p95 of an answer's time.

    The server's processor seconds are those until its next slice begins: what it does later for these calls counts.
    """

    calls: int
    seconds: float
    generator_seconds: float
    server_seconds: float
    p95_seconds: float


class Opponent:
    """One of the two servers: its connections, its processor's clock, its slices so far."""

    def __init__(self, name: str, plan: Plan, stack: contextlib.ExitStack) -> None:
        """Open the connections, each with its call rehearsed; they close with the stack. Raises PerfError's kinds."""
        self.name = name
        self.plan = plan
        self.slices: list[Slice] = []
        self._lanes: dict[int, Lane] = {}
        self._poll = stack.enter_context(contextlib.closing(select.epoll()))
        for number in range(plan.connections):
            connection = stack.enter_context(contextlib.closing(connect(plan.host, plan.port)))
            headers = open_session(connection, f"{plan.host}:{plan.port}", plan.token, plan.version)
            lane = Lane(connection, rehearse(connection, headers, plan.calls[number % len(plan.calls)]))
            stack.callback(_leave, lane, headers)
            self._lanes[connection.fileno()] = lane
            self._poll.register(connection, select.EPOLLIN)
        self._spent = processor_seconds(self.plan.server_pid)

    def load(self) -> None:
        """Add a slice: a call on each connection at a time, until SLICE_SECONDS are over and all are answered."""
        self.settle()
        own, began = time.process_time(), time.perf_counter()
        sent = dict.fromkeys(self._lanes, began)
        durations: list[float] = []
        for lane in self._lanes.values():
            lane.send()
        under_way = len(self._lanes)
        while under_way:
            events = self._poll.poll(ANSWER_SECONDS)
            if not events:
                raise WireError(f"no answer within {ANSWER_SECONDS:g} s")
            now = time.perf_counter()
            for descriptor, _ in events:
                lane = self._lanes[descriptor]
                if not lane.receive():
                    continue
                durations.append(now - sent[descriptor])
                if now < began + SLICE_SECONDS:
                    sent[descriptor] = time.perf_counter()
                    lane.send()
                else:
                    under_way -= 1
        seconds, own = time.perf_counter() - began, time.process_time() - own
        p95 = statistics.quantiles(durations, n=20)[-1] if len(durations) > 1 else durations[0]
        self.slices.append(Slice(len(durations), seconds, own, 0.0, p95))

    def settle(self) -> None:
        """Put down to the newest slice what the server has spent since that began."""
        spent = processor_seconds(self.plan.server_pid)
        if self.slices:
            self.slices[-1] = dataclasses.replace(self.slices[-1], server_seconds=spent - self._spent)
        self._spent = spent


def generate(base: Opponent, head: Opponent, warm_up_seconds: float) -> None:
    """Load both by turns for their plans' seconds each, after the warm-up, which is forgotten.

    Raises UnexpectedAnswerError and WireError, which begin with the name of the side that is to blame.
    """
    sides = {"base": base, "head": head}
    for seconds in (warm_up_seconds, base.plan.seconds):
        for opponent in sides.values():
            opponent.settle()
            opponent.slices.clear()
        for side in (side for pair in turns(math.ceil(seconds / SLICE_SECONDS)) for side in pair):
            try:
                sides[side].load()
            except (UnexpectedAnswerError, WireError) as error:
                raise type(error)(f"{side}: {error}") from error
    for opponent in sides.values():
        opponent.settle()


def _leave(lane: Lane, headers: dict[str, str]) -> None:
    lane.connection.settimeout(ANSWER_SECONDS)
    with contextlib.suppress(PerfError):
        close_session(lane.connection, headers)


def main() -> int:
    """Read two plans, print the slices by side; exits as print_result says."""
    plans = dict(argument.split("=", 1) for argument in sys.argv[2:])
    return print_result(lambda: _measure(plans, float(sys.argv[1])))


def _measure(plans: Mapping[str, str], warm_up_seconds: float) -> dict[str, list[dict[str, Any]]]:
    with contextlib.ExitStack() as stack:
        base, head = (Opponent(side, Plan.load(Path(plans[side]).read_bytes()), stack) for side in ("base", "head"))
        os.sched_setaffinity(0, {base.plan.processor})
        generate(base, head, warm_up_seconds)
        return {side.name: [dataclasses.asdict(each) for each in side.slices] for side in (base, head)}


if __name__ == "__main__":
    sys.exit(main())

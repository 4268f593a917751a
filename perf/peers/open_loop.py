"""The generator of a steady load, a process of its own: `python -m perf.peers.open_loop PLAN.json RATE`.

Calls begin at a fixed rate, however long answers take: each when it is due, on a connection that is free; one that
finds none is dropped. Its time counts from when it was due, so that what waits is seen, and what the generator does
late (it sleeps in whole milliseconds) is laid to the server. Answers are compared as in `perf.peers.generator`.
"""

import contextlib
import dataclasses
import math
import os
import select
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from perf.peers.generator import Lane, print_result
from perf.peers.plan import Plan
from perf.peers.session import close_session, open_session, rehearse
from perf.peers.wire import ANSWER_SECONDS, WireError, connect


@dataclass(frozen=True)
class Steady:
    """What a run came to: answers, calls that found no connection free, and what 99 of 100 answers took at most."""

    answers: int
    dropped: int
    p99_milliseconds: float
    generator_share: float
    """Of a processor."""

    @property
    def dropped_share(self) -> float:
        """The part of all calls that could not be sent in time."""
        return self.dropped / max(self.answers + self.dropped, 1)


def keep_rate(plan: Plan, rate: float) -> Steady:
    """Let calls begin at `rate` a second for `plan.seconds`, and wait for their answers. Raises PerfError's kinds."""
    with contextlib.ExitStack() as stack:
        poll = stack.enter_context(contextlib.closing(select.epoll()))
        sessions, lanes = [], {}
        for number in range(plan.connections):
            connection = stack.enter_context(contextlib.closing(connect(plan.host, plan.port)))
            headers = open_session(connection, f"{plan.host}:{plan.port}", plan.token, plan.version)
            call = rehearse(connection, headers, plan.calls[number % len(plan.calls)])
            lanes[connection.fileno()] = Lane(connection, call)
            sessions.append((connection, headers))
            poll.register(connection, select.EPOLLIN)
        steady = _loop(lanes, poll, rate, plan.seconds)
        for connection, headers in sessions:
            connection.settimeout(ANSWER_SECONDS)
            close_session(connection, headers)
    return steady


def _loop(lanes: dict[int, Lane], poll: select.epoll, rate: float, seconds: float) -> Steady:
    free, due = deque(lanes), dict.fromkeys(lanes, 0.0)
    calls, begun, dropped = round(rate * seconds), 0, 0
    durations: list[float] = []
    began, own = time.perf_counter(), time.process_time()
    while begun < calls or len(free) < len(lanes):
        now = time.perf_counter()
        while begun < calls and (moment := began + begun / rate) <= now:
            begun += 1
            if not free:
                dropped += 1
                continue
            descriptor = free.popleft()
            due[descriptor] = moment
            lanes[descriptor].send()
        wait = ANSWER_SECONDS if begun == calls else max(began + begun / rate - now, 0.0)
        events = poll.poll(wait)
        if not events and begun == calls:
            raise WireError(f"no answer within {ANSWER_SECONDS:g} s")
        now = time.perf_counter()
        for descriptor, _ in events:
            if lanes[descriptor].receive():
                durations.append(now - due[descriptor])
                free.append(descriptor)
    took, own = time.perf_counter() - began, time.process_time() - own
    slow = sorted(durations)[math.ceil(0.99 * len(durations)) - 1] if durations else math.inf
    return Steady(len(durations), dropped, slow * 1000, own / took)


def main() -> int:
    """Read a plan and a rate, print what it came to; exits as print_result says."""
    plan = Plan.load(Path(sys.argv[1]).read_bytes())
    os.sched_setaffinity(0, {plan.processor})
    return print_result(lambda: dataclasses.asdict(keep_rate(plan, float(sys.argv[2]))))


if __name__ == "__main__":
    sys.exit(main())

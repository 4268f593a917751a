"""The load generator, a process of its own: `python -m perf.compare.generator PLAN.json`.

The closed loop of `perf.peers.generator`, each answer compared byte for byte; what it came to is told slice by slice,
for a machine with neighbours changes its speed within a second.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import select
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from perf.errors import PerfError
from perf.peers.generator import FAILED, Lane
from perf.peers.plan import Plan
from perf.peers.session import UnexpectedAnswerError, close_session, open_session, rehearse
from perf.peers.wire import ANSWER_SECONDS, WireError, connect

SLICE_SECONDS = 0.25


@dataclass(frozen=True)
class Slice:
    """A part of a load: calls answered, seconds, processor seconds of generator and server, p95 of an answer's time."""

    calls: int
    seconds: float
    generator_seconds: float
    server_seconds: float
    p95_seconds: float


def generate(plan: Plan) -> list[Slice]:
    """Load the server for `plan.seconds`; the slices in their order. Raises PerfError's kinds, and OSError."""
    with contextlib.ExitStack() as stack:
        sessions = []
        for number in range(plan.connections):
            connection = stack.enter_context(contextlib.closing(connect(plan.host, plan.port)))
            headers = open_session(connection, f"{plan.host}:{plan.port}", plan.token, plan.version)
            call = rehearse(connection, headers, plan.calls[number % len(plan.calls)])
            sessions.append((connection, headers, Lane(connection, call)))
        poll = stack.enter_context(contextlib.closing(select.epoll()))
        slices = _loop([lane for _, _, lane in sessions], plan, poll)
        for connection, headers, _ in sessions:
            connection.settimeout(ANSWER_SECONDS)
            close_session(connection, headers)
    return slices


def _loop(lanes: list[Lane], plan: Plan, poll: select.epoll) -> list[Slice]:
    readings = _Readings(_processor_clock(plan.server_pid))
    by_descriptor = {lane.connection.fileno(): lane for lane in lanes}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    began = time.perf_counter()
    sent = dict.fromkeys(by_descriptor, began)
    for lane in lanes:
        lane.send()
    under_way = len(lanes)
    while under_way:
        events = poll.poll(ANSWER_SECONDS)
        if not events:
            raise WireError(f"no answer within {ANSWER_SECONDS:g} s")
        now = time.perf_counter()
        for descriptor, _ in events:
            lane = by_descriptor[descriptor]
            if not lane.receive():
                continue
            readings.durations.append(now - sent[descriptor])
            if now < began + plan.seconds:
                sent[descriptor] = time.perf_counter()
                lane.send()
            else:
                under_way -= 1
        # What is left at the end, while one connection after the other falls silent, is no part of the load.
        if under_way == len(lanes):
            readings.cut(now)
    return readings.slices


class _Readings:
    """Answers' durations, cut into slices by three clocks: the wall's, and the two processes' own."""

    def __init__(self, server_clock: int) -> None:
        self.slices: list[Slice] = []
        self.durations: list[float] = []
        self._server_clock = server_clock
        self._last = self._read(time.perf_counter())

    def cut(self, now: float) -> None:
        """End the slice if it is long enough."""
        if now - self._last[0] < SLICE_SECONDS or len(self.durations) < 2:
            return
        reading = self._read(now)
        seconds, own, server = (after - before for before, after in zip(self._last, reading, strict=True))
        p95 = statistics.quantiles(self.durations, n=20)[-1]
        self.slices.append(Slice(len(self.durations), seconds, own, server, p95))
        self._last, self.durations = reading, []

    def _read(self, now: float) -> tuple[float, float, float]:
        return now, time.process_time(), time.clock_gettime(self._server_clock)


def _processor_clock(pid: int) -> int:
    """The clock of another process's processor time, all its threads together, in nanoseconds; Linux and POSIX.

    What psutil reads counts in hundredths of a second, too coarse for a slice. Raises PerfError.
    """
    clock = ctypes.c_int()
    if failed := ctypes.CDLL(None).clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise PerfError(f"the server's processor time cannot be read: {os.strerror(failed)}")
    return clock.value


def main() -> int:
    """Read a plan, print the slices. Exit code 1 when an answer was wrong, 3 when there was no measurement."""
    plan = Plan.load(Path(sys.argv[1]).read_bytes())
    os.sched_setaffinity(0, {plan.processor})
    try:
        slices = generate(plan)
    except UnexpectedAnswerError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except (PerfError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in slices]))
    return 0


if __name__ == "__main__":
    sys.exit(main())

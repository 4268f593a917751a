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
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perf.peers.generator import Lane, print_result
from perf.peers.plan import Plan
from perf.peers.session import Repeated, close_session, open_session, rehearse
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


@dataclass
class Stream:
    """Calls that begin at `rate` a second for `seconds`, on lanes of their own."""

    lanes: Mapping[int, Lane]
    rate: float
    seconds: float
    begun: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    durations: list[float] = field(default_factory=list, init=False)
    """Seconds from when a call was due to its answer."""

    def __post_init__(self) -> None:
        self._calls = round(self.rate * self.seconds)
        self._free = deque(self.lanes)
        self._due = dict.fromkeys(self.lanes, 0.0)

    @property
    def next_due(self) -> float:
        """When the next call begins; infinite when all have begun."""
        return self.begun / self.rate if self.begun < self._calls else math.inf

    @property
    def over(self) -> bool:
        """Whether all have begun and are answered."""
        return self.begun == self._calls and len(self._free) == len(self.lanes)

    def send(self, now: float) -> None:
        """Begin what is due; what finds no lane free is dropped."""
        while (moment := self.next_due) <= now:
            self.begun += 1
            if not self._free:
                self.dropped += 1
                continue
            descriptor = self._free.popleft()
            self._due[descriptor] = moment
            self.lanes[descriptor].send()

    def receive(self, descriptor: int, now: float) -> None:
        """Take what has arrived on a lane. Raises UnexpectedAnswerError, WireError."""
        if self.lanes[descriptor].receive():
            self.durations.append(now - self._due[descriptor])
            self._free.append(descriptor)


@contextlib.contextmanager
def open_lanes(plan: Plan, lane: Callable[[socket.socket, Repeated], Lane] = Lane) -> Iterator[dict[int, Lane]]:
    """Yield a plan's connections, each with its call rehearsed, by descriptor; their sessions end with them."""
    with contextlib.ExitStack() as stack:
        sessions, lanes = [], {}
        for number in range(plan.connections):
            connection = stack.enter_context(contextlib.closing(connect(plan.host, plan.port)))
            headers = open_session(connection, f"{plan.host}:{plan.port}", plan.token, plan.version)
            call = rehearse(connection, headers, plan.calls[number % len(plan.calls)])
            lanes[connection.fileno()] = lane(connection, call)
            sessions.append((connection, headers))
        yield lanes
        for connection, headers in sessions:
            connection.settimeout(ANSWER_SECONDS)
            close_session(connection, headers)


def keep_rates(streams: Sequence[Stream]) -> float:
    """Send all streams, wait for their answers; returns the part of a processor that took. Raises PerfError's kinds."""
    by_descriptor = {descriptor: stream for stream in streams for descriptor in stream.lanes}
    with contextlib.closing(select.epoll()) as poll:
        for descriptor in by_descriptor:
            poll.register(descriptor, select.EPOLLIN)
        began, own = time.perf_counter(), time.process_time()
        while not all(stream.over for stream in streams):
            now = time.perf_counter() - began
            for stream in streams:
                stream.send(now)
            wait = min(stream.next_due for stream in streams) - now
            events = poll.poll(min(max(wait, 0.0), ANSWER_SECONDS))
            if not events and wait > ANSWER_SECONDS:
                raise WireError(f"no answer within {ANSWER_SECONDS:g} s")
            now = time.perf_counter() - began
            for descriptor, _ in events:
                by_descriptor[descriptor].receive(descriptor, now)
        return (time.process_time() - own) / (time.perf_counter() - began)


def keep_rate(plan: Plan, rate: float) -> Steady:
    """Let calls begin at `rate` a second for `plan.seconds`, and wait for their answers. Raises PerfError's kinds."""
    with open_lanes(plan) as lanes:
        stream = Stream(lanes, rate, plan.seconds)
        share = keep_rates([stream])
    p99 = percentile(stream.durations, 0.99)
    return Steady(len(stream.durations), stream.dropped, p99 * 1000, share)


def percentile(durations: Sequence[float], part: float) -> float:
    """What `part` of the durations were at most; infinite without any."""
    return sorted(durations)[math.ceil(part * len(durations)) - 1] if durations else math.inf


def main() -> int:
    """Read a plan and a rate, print what it came to; exits as print_result says."""
    plan = Plan.load(Path(sys.argv[1]).read_bytes())
    os.sched_setaffinity(0, {plan.processor})
    return print_result(lambda: dataclasses.asdict(keep_rate(plan, float(sys.argv[2]))))


if __name__ == "__main__":
    sys.exit(main())

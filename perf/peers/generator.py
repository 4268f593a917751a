"""The load generator, a process of its own: `python -m perf.peers.generator PLAN.json`.

A closed loop: each connection sends its next call when the answer to the last one is complete, never two at once. Every
answer is compared byte for byte with the one that was decoded and checked at the start, the request's id replaced. One
thread on epoll, because the generator must stay far from being what limits the server.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from perf.errors import PerfError
from perf.peers.plan import Outcome, Plan
from perf.peers.session import FIRST_ID, Repeated, UnexpectedAnswerError, close_session, open_session, rehearse
from perf.peers.wire import ANSWER_SECONDS, CHUNK, WireError, connect
from perf.processor import processor_seconds

OK = b"HTTP/1.1 200 "
HEAD_END = b"\r\n\r\n"
FAILED = 1


class Lane:
    """One connection: its call, the id of the request under way, and what has arrived of the answer."""

    def __init__(self, connection: socket.socket, call: Repeated) -> None:
        self.connection = connection
        self._call = call
        self._id = FIRST_ID
        self._expected = b""
        self._received = b""
        # With a time-out of its own every operation would ask the kernel twice.
        connection.setblocking(False)  # noqa: FBT003 -- the standard library's signature

    def send(self) -> None:
        """Send the next request."""
        self._id += 1
        identity = b"%d" % self._id
        before, after = self._call.body
        self._expected = before + identity + after
        before, after = self._call.request
        self._received = b""
        # A small request into an empty buffer is never sent in part.
        self.connection.send(before + identity + after)

    def take(self) -> bytes:
        """What has arrived of the answer so far. Raises WireError."""
        arrived = self.connection.recv(CHUNK)
        if not arrived:
            raise WireError("the server closed a connection under load")
        self._received += arrived
        return self._received

    def receive(self) -> bool:
        """Take what has arrived; returns whether the answer is complete. Raises UnexpectedAnswerError, WireError."""
        received = self.take()
        end = received.find(HEAD_END) + len(HEAD_END)
        if end < len(HEAD_END):
            return False
        if not received.startswith(OK):
            raise UnexpectedAnswerError(f"not 200: {received[:300]!r}")
        # What is not how the answer begins is told now: of a shorter one no more would come.
        if len(received) - end < self._call.size and self._expected.startswith(received[end:]):
            return False
        if received[end:] != self._expected:
            raise UnexpectedAnswerError(f"another answer than the first one: {received[end : end + 300]!r}")
        return True


def generate(plan: Plan) -> Outcome:
    """Load the server for `plan.seconds` and return what that came to. Raises PerfError's kinds."""
    with contextlib.ExitStack() as stack:
        sessions, bodies = [], hashlib.sha256()
        for number in range(plan.connections):
            connection = stack.enter_context(contextlib.closing(connect(plan.host, plan.port)))
            headers = open_session(connection, f"{plan.host}:{plan.port}", plan.token, plan.version)
            call = rehearse(connection, headers, plan.calls[number % len(plan.calls)])
            sessions.append((connection, headers, Lane(connection, call)))
            bodies.update(b"\0".join((*call.body, b"")))
        poll = stack.enter_context(contextlib.closing(select.epoll()))
        outcome = _loop([lane for _, _, lane in sessions], plan, poll)
        for connection, headers, _ in sessions:
            connection.settimeout(ANSWER_SECONDS)
            close_session(connection, headers)
    # Each connection was opened by an initialize and a first call.
    return dataclasses.replace(
        outcome,
        calls=outcome.calls + plan.connections,
        limited=outcome.limited + 2 * plan.connections,
        answers=bodies.hexdigest(),
    )


def _loop(lanes: list[Lane], plan: Plan, poll: select.epoll) -> Outcome:
    by_descriptor = {lane.connection.fileno(): lane for lane in lanes}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.EPOLLIN)
    began, own_before, server_before = time.perf_counter(), time.process_time(), processor_seconds(plan.server_pid)
    end = began + plan.seconds
    for lane in lanes:
        lane.send()
    answered, under_way = 0, len(lanes)
    while under_way:
        events = poll.poll(ANSWER_SECONDS)
        if not events:
            raise WireError(f"no answer within {ANSWER_SECONDS:g} s")
        ended = time.perf_counter() >= end
        for descriptor, _ in events:
            lane = by_descriptor[descriptor]
            if lane.receive():
                answered += 1
                if ended:
                    under_way -= 1
                else:
                    lane.send()
    seconds = time.perf_counter() - began
    return Outcome(
        calls=answered,
        limited=answered,
        loop_calls=answered,
        seconds=seconds,
        generator_seconds=time.process_time() - own_before,
        server_seconds=processor_seconds(plan.server_pid) - server_before,
    )


def print_result(measure: Callable[[], object]) -> int:
    """Print what was measured as JSON. Exit code 1 when an answer was wrong, 3 when there was no measurement."""
    try:
        result = measure()
    except UnexpectedAnswerError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    except (PerfError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 3
    sys.stdout.write(json.dumps(result))
    return 0


def main() -> int:
    """Read a plan, print an outcome; exits as print_result says."""
    plan = Plan.load(Path(sys.argv[1]).read_bytes())
    os.sched_setaffinity(0, {plan.processor})
    return print_result(lambda: dataclasses.asdict(generate(plan)))


if __name__ == "__main__":
    sys.exit(main())

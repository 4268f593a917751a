"""The generator of a quiet tenant and a noisy one: `python -m perf.peers.noise_loop NOISY.json QUIET.json RATES`.

RATES is JSON: calls a second of the `noisy` one, of the `quiet` one, and the longest wait in seconds that a refusal may
tell. The quiet tenant calls all the time, for its plan's seconds alone and for as long again beside the noisy one, as
`perf.peers.open_loop` does. An answer to the noisy one is the expected one, or a refusal that says when to call again.
"""

import dataclasses
import json
import math
import os
import re
import socket
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from perf.peers.generator import HEAD_END, Lane, print_result
from perf.peers.open_loop import Stream, keep_rates, open_lanes, percentile
from perf.peers.plan import Plan
from perf.peers.session import Repeated, UnexpectedAnswerError

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
WAIT = re.compile(rb"\r\nretry-after: (\d+)", re.IGNORECASE)
P95 = 0.95


@dataclass(frozen=True)
class Rates:
    """Calls a second of both tenants, and the longest wait in seconds that a refusal may tell."""

    noisy: float
    quiet: float
    longest_wait: int


@dataclass(frozen=True)
class Noise:
    """What became of the noisy tenant's calls, and how long the quiet one's took, alone and beside them."""

    granted: int
    refused: int
    dropped: int
    quiet_alone: int
    quiet_beside: int
    alone_p95_milliseconds: float
    beside_p95_milliseconds: float
    generator_share: float
    """Of a processor."""


class LimitedLane(Lane):
    """A connection whose calls may be refused for their number. `tally` counts what was granted and what refused."""

    def __init__(self, connection: socket.socket, call: Repeated, tally: Counter[str], longest_wait: int) -> None:
        super().__init__(connection, call)
        self._tally = tally
        self._longest_wait = longest_wait

    def receive(self) -> bool:
        """Take what has arrived; returns whether the answer is complete. Raises UnexpectedAnswerError, WireError."""
        head, found, body = self.take().partition(HEAD_END)
        if not found:
            return False
        length = LENGTH.search(head)
        if length is None:
            raise UnexpectedAnswerError(f"an answer of no length: {head[:300]!r}")
        if len(body) < int(length[1]):
            return False
        if body == self._expected:
            self._tally["granted"] += 1
        else:
            refuse_untrue(head, body, self._longest_wait)
            self._tally["refused"] += 1
        return True


def refuse_untrue(head: bytes, body: bytes, longest_wait: int) -> None:
    """Raise UnexpectedAnswerError unless this is a refusal by the tenant's limit that tells one true wait."""
    try:
        result = json.loads(body)["result"]
        error = result["structuredContent"]["error"]
        code, limit, seconds = error["code"], error["details"]["limit"], error["details"]["retry_after_seconds"]
    except (ValueError, KeyError, TypeError):
        raise UnexpectedAnswerError(f"neither the expected answer nor a refusal: {body[:300]!r}") from None
    if (code, limit, result.get("isError")) != ("RATE_LIMIT_EXCEEDED", "tenant", True):
        raise UnexpectedAnswerError(f"refused for something else than the tenant's limit: {body[:300]!r}")
    told = WAIT.search(head)
    if not isinstance(seconds, int) or not 1 <= seconds <= longest_wait or told is None or int(told[1]) != seconds:
        raise UnexpectedAnswerError(
            f"a refusal tells no time to wait, two, or a wrong one: {head[-300:]!r} {body[:300]!r}"
        )


def make_noise(noisy: Plan, quiet: Plan, rates: Rates) -> Noise:
    """Let the quiet tenant call alone, then beside the noisy one. Raises PerfError's kinds."""
    tally: Counter[str] = Counter()
    with open_lanes(quiet) as quiet_lanes:
        alone, beside = (Stream(quiet_lanes, rates.quiet, quiet.seconds) for _ in range(2))
        keep_rates([alone])
        # Not before: a server closes connections on which nothing is asked.
        with open_lanes(
            noisy, lambda connection, call: LimitedLane(connection, call, tally, rates.longest_wait)
        ) as noisy_lanes:
            noise = Stream(noisy_lanes, rates.noisy, quiet.seconds)
            share = keep_rates([beside, noise])
    return Noise(
        granted=tally["granted"],
        refused=tally["refused"],
        dropped=noise.dropped,
        quiet_alone=len(alone.durations),
        quiet_beside=len(beside.durations),
        alone_p95_milliseconds=p95_of(alone) * 1000,
        beside_p95_milliseconds=p95_of(beside) * 1000,
        generator_share=share,
    )


def p95_of(stream: Stream) -> float:
    """What 95 of 100 calls took at most, in seconds. One that found no connection free waits still."""
    return percentile([*stream.durations, *[math.inf] * stream.dropped], P95)


def main() -> int:
    """Read two plans and the rates, print what it came to; exits as print_result says."""
    noisy, quiet = (Plan.load(Path(name).read_bytes()) for name in sys.argv[1:3])
    os.sched_setaffinity(0, {noisy.processor})
    return print_result(lambda: dataclasses.asdict(make_noise(noisy, quiet, Rates(**json.loads(sys.argv[3])))))


if __name__ == "__main__":
    sys.exit(main())

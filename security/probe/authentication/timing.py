"""How long a refusal takes does not tell whether the key's id exists."""

import http.client
import itertools
import random
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from harness.verdict import Severity
from security.probe.authentication.door import Door, guarded_door, opening, still_open
from security.probe.authentication.robust import Difference, Pair, difference
from security.probe.authentication.shapes import parts, shuffled
from security.probe.patience import TOO_MANY_REQUESTS
from security.probe.probe import Effect, probe
from security.probe.site import SECONDS, Need, Site

WARMING = 10
FEWEST = 150
ROUND_SECONDS = 3.5
"""Some 3000 pairs on loopback, which leave a doubt of 2 µs."""
MEASURE_SECONDS = 8.0
THRESHOLD_SECONDS = 0.00015
"""A difference that a few hundred requests show from far away."""
CERTAIN_SECONDS = 0.000005
"""Smaller ones come of the same code on other bytes: to build a row takes longer than to find none. Of 40 measurements
of our own server, 15 of them beside a busy process, no bounds were beyond nothing at all."""


@probe(
    "authentication.timing",
    "A refusal takes as long for an id that exists as for one that does not",
    "A07:2025",
    "API2:2023",
    effect=Effect.STRESSES,
    needs=(Need.KEY,),
    alone=True,
    at_least=FEWEST,
)
def timing(check: OpenCheck, site: Site) -> None:
    """Show the owner's key id, and one that nobody has, with wrong secrets, by turns, over one open connection."""
    door, chance = guarded_door(site), random.SystemRandom()
    head, secret = parts(str(site.owner.key))
    nobody = shuffled(head, chance)
    if nobody == head:
        raise Inconclusive("the owner's key has no part that could be another key's id")
    deadline = time.monotonic() + MEASURE_SECONDS
    statuses, pairs = _measure(door, (head, nobody), secret, chance, deadline)
    check.examined = len(pairs)
    if len(set(statuses)) > 1:
        message = (
            f"a wrong secret is answered {statuses[0]} for an id that exists, and {statuses[1]} for one that does not"
        )
        check.find("telling-status", message, key="status", references=("CWE-204",))
        return
    if len(pairs) < FEWEST:
        raise Inconclusive(
            f"only {len(pairs)} pairs could be measured, {FEWEST} are needed: "
            + (
                "the server is too slow"
                if statuses
                else "the server limits wrong keys, which is well; lift it to measure"
            )
        )
    seen, again = difference(pairs), None
    if CERTAIN_SECONDS < seen.least <= THRESHOLD_SECONDS:
        _, fresh = _measure(door, (head, nobody), secret, chance, deadline)
        again = difference(fresh) if len(fresh) >= FEWEST else None
    for each in filter(None, (seen, again)):
        check.evidence.append(f"{each.pairs} pairs: an id that exists takes {_told(each)}")
    check.evidence.append(f"less than {_microseconds(CERTAIN_SECONDS + seen.uncertainty)} could not be told from none")
    still_open(door)
    judge(check, seen, again)


def judge(check: OpenCheck, seen: Difference, again: Difference | None) -> None:
    """Find a difference that is beyond doubt, a small one only where it was seen `again` in other pairs.

    Raises Inconclusive where THRESHOLD_SECONDS could not be seen, and where there was no time to look again.
    """
    if seen.least > THRESHOLD_SECONDS:
        message = f"a wrong secret takes {_told(seen)} for an id that exists: ids can be found"
        check.find("timing", message, key="timing", references=("CWE-208",))
    elif again and again.least > CERTAIN_SECONDS and (again.median > 0) == (seen.median > 0):
        message = (
            f"a wrong secret takes {_told(seen)} for an id that exists, and {_told(again)} when measured again:"
            " who is near enough and asks often enough can find ids"
        )
        check.find("timing", message, key="timing", references=("CWE-208",), severity=Severity.MEDIUM)
    elif seen.uncertainty > THRESHOLD_SECONDS:
        raise Inconclusive(
            f"it is too noisy here: a difference of {_microseconds(seen.uncertainty)} could not be told from nothing,"
            f" and {_microseconds(THRESHOLD_SECONDS)} would be too much; ask from nearer by, or when less goes on"
        )
    elif seen.least > CERTAIN_SECONDS and again is None:
        raise Inconclusive(f"an id that exists seems to take {_told(seen)}, and there was no time to measure it again")


def _measure(
    door: Door, heads: Sequence[str], secret: str, chance: random.Random, deadline: float
) -> tuple[Sequence[int], Sequence[Pair]]:
    """The status for each head, empty once wrong keys are limited; and the seconds that each took, in pairs.

    It takes ROUND_SECONDS, and until the deadline where that leaves too few pairs, or too much noise.
    """
    connection = _connect(door.site)
    path = urlsplit(door.site.url).path or "/"
    body, headers = opening(door.version)
    sent = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **headers}

    def ask(head: str) -> tuple[int, float]:
        key = head + shuffled(secret, chance)
        if connection.sock is None:
            connection.connect()
        began = time.perf_counter()
        connection.request("POST", path, body, {**sent, "Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - began

    pairs: list[Pair] = []
    statuses: Sequence[int] = ()
    enough = time.monotonic() + ROUND_SECONDS
    try:
        for number in itertools.count(-WARMING):
            late = number >= FEWEST and number % FEWEST == 0 and time.monotonic() > enough
            if late and difference(pairs).uncertainty < THRESHOLD_SECONDS:
                break
            places = chance.sample(range(2), 2)
            answers = {place: ask(heads[place]) for place in places}
            statuses = [answers[place][0] for place in range(2)]
            if TOO_MANY_REQUESTS in statuses or time.monotonic() > deadline:
                break
            if len(set(statuses)) > 1:
                return statuses, pairs
            if number >= 0:
                pairs.append((answers[0][1], answers[1][1]))
    except (OSError, http.client.HTTPException) as error:
        raise Inconclusive(f"the server stopped answering wrong keys: {error}") from error
    finally:
        connection.close()
    return () if TOO_MANY_REQUESTS in statuses else statuses, pairs


def _connect(site: Site) -> http.client.HTTPConnection:
    parts_of = urlsplit(site.url)
    if parts_of.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(str(parts_of.hostname), parts_of.port, timeout=SECONDS, context=context)
    return http.client.HTTPConnection(str(parts_of.hostname), parts_of.port, timeout=SECONDS)


def _told(seen: Difference) -> str:
    """A difference in words, with its bounds."""
    longer, low, high = ("longer", seen.low, seen.high) if seen.median > 0 else ("less long", -seen.high, -seen.low)
    return f"{_microseconds(abs(seen.median))} {longer} (between {_microseconds(low)} and {_microseconds(high)})"


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} µs"

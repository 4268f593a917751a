"""Whoever tries wrong keys is slowed down, and the owner of the right one does not notice."""

import contextlib
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Mapping

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.authentication.door import Door, Told, bearer, guarded_door
from security.probe.authentication.shapes import parts, shuffled
from security.probe.probe import Effect, probe
from security.probe.site import Need, Site

TRIES = 300
ENOUGH = 100
OWNER_EVERY = 10
SLOWED_SECONDS = 1.0
"""Refusals that take so long allow nobody to try many keys."""
TRYING_SECONDS = 30.0


@probe(
    "authentication.brute-force",
    "Whoever tries keys is slowed down, and their owner is not",
    "A07:2025",
    "API2:2023",
    "API4:2023",
    effect=Effect.STRESSES,
    needs=(Need.KEY,),
    alone=True,
)
def brute_force(check: OpenCheck, site: Site) -> None:
    """Try wrong secrets with the owner's key id as fast as they are refused; the owner calls all the while.

    Whoever is slowed down says then that it comes from elsewhere, each time.
    """
    with site.limited() if site.limited else contextlib.nullcontext(site) as tried:
        door = guarded_door(tried)
        if _try_keys(check, door, itertools.repeat({}), ""):
            _try_keys(check, door, _elsewhere(), ", each with another made-up address of its sender,")


def _elsewhere() -> Iterator[Mapping[str, str]]:
    """Headers in which a proxy says where a request came from; the addresses are those of RFC 3849's documentation."""
    for number in itertools.count(1):
        address = f"2001:db8:{number:x}::1"
        yield {
            "X-Forwarded-For": address,
            "Forwarded": f'for="[{address}]"',
            "X-Real-IP": address,
            "True-Client-IP": address,
            "CF-Connecting-IP": address,
            "X-Client-IP": address,
        }


def _try_keys(check: OpenCheck, door: Door, headers: Iterator[Mapping[str, str]], how: str) -> bool:
    """Whether wrong keys, told in words `how`, are slowed down and the owner is let in; what is not is found."""
    chance = random.SystemRandom()
    key = str(door.site.owner.key)
    head, secret = parts(key)
    began, took = time.monotonic(), list[float]()
    slowed = ""
    while not slowed and len(took) < TRIES and time.monotonic() - began < TRYING_SECONDS:
        sent = time.perf_counter()
        told = door.knock(bearer(head + shuffled(secret, chance)), next(headers))
        took.append(time.perf_counter() - sent)
        check.examined += 1
        if told is Told.IN:
            raise Inconclusive("a wrong key was let in: see authentication.malformed-key")
        if told is Told.LATER:
            slowed = "told to come back later"
        elif statistics.median(took[-5:]) > SLOWED_SECONDS:
            slowed = f"let wait {statistics.median(took[-5:]):.1f} s"
        if (slowed or len(took) % OWNER_EVERY == 0) and not _owner_enters(check, door, len(took)):
            return False
    if slowed:
        check.evidence.append(f"{slowed} after {len(took)} wrong keys{how} in {time.monotonic() - began:.1f} s")
    elif len(took) >= ENOUGH:
        seconds = time.monotonic() - began
        message = (
            f"{len(took)} wrong keys{how} in {seconds:.0f} s are answered as the first was: nothing slows guessing"
        )
        check.find("no-throttle", message, key=f"no-throttle{how}", references=("CWE-307",))
    else:
        raise Inconclusive(f"only {len(took)} wrong keys could be tried in {TRYING_SECONDS:.0f} s")
    return bool(slowed)


def _owner_enters(check: OpenCheck, door: Door, tries: int) -> bool:
    """Whether the right key is let in; that it is not is a finding, for then anybody can shut its owner out."""
    told = door.knock(bearer(door.site.owner.key))
    if told is Told.IN:
        return True
    message = f"after {tries} wrong keys the right one is {told}: whoever knows a key's id can shut its owner out"
    check.find("lockout", message, key="lockout", references=("CWE-645",))
    return False

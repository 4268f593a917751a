"""Whoever tries wrong keys is slowed down, whichever ids they name, and the owner of the right one does not notice."""

import contextlib
import itertools
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.authentication.door import Door, Told, bearer, guarded_door
from security.probe.authentication.owner import ADVICE, Owner
from security.probe.authentication.shapes import parts, shuffled
from security.probe.probe import Effect, probe
from security.probe.site import Need, Site

TRIES = 300
ENOUGH = 100
OWNER_EVERY = 10
SLOWED_SECONDS = 1.0
"""Refusals that take so long allow nobody to try many keys."""
TRYING_SECONDS = 30.0
UNLIKE = 3
"""An id that may be tried so many times as often as another is not counted as that one is."""
FURTHER = 10
"""All of one sender's keys are allowed to be more than those of one id, up to so many times as many."""
ELSEWHERE = "with another made-up address of its sender,"


@probe(
    "authentication.brute-force",
    "Whoever tries keys is slowed down, whichever ids they name, and their owner is not",
    "A07:2025",
    "API2:2023",
    "API4:2023",
    effect=Effect.STRESSES,
    needs=(Need.KEY,),
    alone=True,
)
def brute_force(check: OpenCheck, site: Site) -> None:
    """Try wrong secrets as fast as they are refused, with the owner's key id and others; the owner calls all the while.

    Whoever is slowed down names an id that nobody has, then says that it comes from elsewhere, each time, and then
    names another id each time.
    """
    with site.limited() if site.limited else contextlib.nullcontext(site) as tried:
        door = guarded_door(tried)
        trial = _Trial(check, door, Owner(check, door, is_alone=tried is not site))
        owners, nobodys = trial.head, shuffled(trial.head, trial.chance)
        first = trial.run(itertools.repeat(owners), "")
        if not first or not trial.counts_alike(owners, nobodys, first):
            return
        if not trial.run(itertools.repeat(owners), f", each {ELSEWHERE}", _elsewhere()):
            return
        others = iter(lambda: shuffled(trial.head, trial.chance), "")
        most = max(TRIES, FURTHER * first)
        if trial.run(others, ", each of another id,", most=most):
            trial.run(others, f", each of another id and {ELSEWHERE}", _elsewhere(), most=most)
        if trial.owner.waited:
            check.evidence.append(f"the owner's own limit was waited for, {trial.owner.waited:.0f} s in all")


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


@dataclass
class _Trial:
    """Tries wrong keys at a door. `head` is what names the owner's key."""

    check: OpenCheck
    door: Door
    owner: Owner
    chance: random.Random = field(default_factory=random.SystemRandom)

    def __post_init__(self) -> None:
        self.head, self._secret = parts(str(self.door.site.owner.key))

    def run(
        self, heads: Iterator[str], how: str, headers: Iterator[Mapping[str, str]] | None = None, most: int = TRIES
    ) -> int:
        """After how many wrong keys, told in words `how`, one is slowed down, the owner being let in; 0 otherwise.

        What should be otherwise is found.
        """
        began, took, waited = time.monotonic(), list[float](), self.owner.waited
        slowed = ""
        while not slowed and len(took) < most and time.monotonic() - began < TRYING_SECONDS:
            sent = time.perf_counter()
            told = self._try(next(heads), next(headers) if headers else {})
            took.append(time.perf_counter() - sent)
            if told is Told.LATER:
                slowed = str(told)
            elif statistics.median(took[-5:]) > SLOWED_SECONDS:
                slowed = f"let wait {statistics.median(took[-5:]):.1f} s"
            if (slowed or len(took) % OWNER_EVERY == 0) and not self.owner.enters(len(took)):
                return 0
        seconds = time.monotonic() - began
        if slowed:
            self.check.evidence.append(f"{slowed} after {len(took)} wrong keys{how} in {seconds:.1f} s")
            return len(took)
        if self.owner.waited > waited:
            raise Inconclusive(f"the owner's own limit was waited for, which slowed these attempts down: {ADVICE}")
        if len(took) < ENOUGH:
            raise Inconclusive(f"only {len(took)} wrong keys{how} could be tried in {TRYING_SECONDS:.0f} s")
        message = (
            f"{len(took)} wrong keys{how} in {seconds:.0f} s are answered as the first was: nothing slows guessing"
        )
        self.check.find("no-throttle", message, key=f"no-throttle{how}", references=("CWE-307",))
        return 0

    def counts_alike(self, owners: str, nobodys: str, first: int) -> bool:
        """Whether an id that nobody has is slowed down as the owner's was after `first` keys; that it is not is found.

        Where all that comes from here is slowed down, that tells nothing of ids. Where others tried keys before, the
        owner's id may have been counted already, and the other may be tried more often.
        """
        another = shuffled(self.head, self.chance)
        if (
            self._try(owners) is not Told.LATER
            or self._try(another) is Told.LATER
            or self._try(owners) is not Told.LATER
        ):
            self.check.evidence.append("not the id that was tried is slowed down, but who tried it")
            return True
        if not self.owner.is_alone:
            return bool(self.run(itertools.repeat(nobodys), " of one id that nobody has"))
        for number in range(1, UNLIKE * first + 1):
            if self._try(nobodys) is Told.LATER:
                self.check.evidence.append(f"{Told.LATER} after {number} wrong keys of one id that nobody has")
                return True
        message = (
            f"after {first} wrong keys of an id that exists whoever tries more is {Told.LATER}, and not after"
            f" {UNLIKE * first} of one that nobody has: that tells which ids exist"
        )
        self.check.find("telling-throttle", message, key="telling-throttle", references=("CWE-204",))
        return False

    def _try(self, head: str, headers: Mapping[str, str] | None = None) -> Told:
        self.check.examined += 1
        told = self.door.knock(bearer(head + shuffled(self._secret, self.chance)), headers)
        if told is Told.IN:
            raise Inconclusive("a wrong key was let in: see authentication.malformed-key")
        return told

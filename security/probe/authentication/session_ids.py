"""How hard ids are to guess that a server drew one after the other: judged by what varies among them, and how much."""

import itertools
import math
import string
from collections.abc import Sequence
from dataclasses import dataclass

MANY = 8
"""So many different characters at a place, among twenty ids, and any of their alphabet may stand there."""
CLASSES = (
    frozenset(string.digits),
    frozenset("abcdef"),
    frozenset(string.ascii_lowercase) - frozenset("abcdef"),
    frozenset("ABCDEF"),
    frozenset(string.ascii_uppercase) - frozenset("ABCDEF"),
)


@dataclass(frozen=True)
class Looks:
    """What some ids look like. `bits` is the most that somebody must guess, were all that varies drawn at random.

    `length` is the shortest one's, `prefix` how many characters all begin with, `rising` whether each is greater than
    the one before.
    """

    ids: int
    different: int
    length: int
    prefix: int
    alphabet: int
    bits: float
    rising: bool

    def __str__(self) -> str:
        """In one line, without any of them."""
        return (
            f"{self.ids} ids, {self.different} of them different, of {self.length} characters, the first {self.prefix}"
            f" the same in all; what varies is of an alphabet of {self.alphabet}: {self.bits:.0f} bits at most"
            f"{'; each is greater than the one before' if self.rising else ''}"
        )


def look_at(ids: Sequence[str]) -> Looks:
    """What ids look like, in the order in which they were given. Raises ValueError for fewer than two.

    A place where few characters occur counts for no more than those: a UUID's version, a time's or a counter's digits.
    """
    if len(ids) < 2:
        raise ValueError("one id says nothing of the next")
    places = [frozenset(place) for place in zip(*ids, strict=False)]
    varying = [place for place in places if len(place) > 1]
    alphabet = _alphabet(frozenset[str]().union(*varying))
    bits = sum(math.log2(alphabet if len(place) >= MANY else len(place)) for place in varying)
    ordered = [(len(each), each) for each in ids]
    rising = all(before < after for before, after in itertools.pairwise(ordered))
    prefix = sum(1 for _ in itertools.takewhile(lambda place: len(place) == 1, places))
    return Looks(len(ids), len(set(ids)), len(places), prefix, alphabet, bits, rising)


def _alphabet(seen: frozenset[str]) -> int:
    """How many characters may stand where these do: all of a class of which there is one, and those of no class."""
    named = [each for each in CLASSES if each & seen]
    return sum(map(len, named)) + len(seen.difference(*CLASSES))

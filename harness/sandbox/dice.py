"""Draws that depend on their key alone: the same key gives the same draws in every process and on every machine."""

import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TypeVar

Choice = TypeVar("Choice")

DIGEST_AS_NUMBERS = struct.Struct(">16I")


class Dice:
    """An endless sequence of draws. `random.Random` is not used: seeding one costs as much as a whole order."""

    __slots__ = ("_key", "_numbers", "_refills")

    def __init__(self, *key: str | int) -> None:
        self._key = ":".join(map(str, key))
        self._refills = 0
        self._numbers: Iterator[int] = iter(())

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1, which is to be far below 2**32."""
        for number in self._numbers:
            return number % bound
        digest = blake2b(f"{self._key}/{self._refills}".encode()).digest()
        self._numbers = iter(DIGEST_AS_NUMBERS.unpack(digest))
        self._refills += 1
        return self.below(bound)

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def happens(self, probability: float) -> bool:
        """True with the given probability (to a millionth)."""
        return self.below(1_000_000) < probability * 1_000_000

"""The same arguments with ids that nobody has: what a refusal, or a success, is compared with."""

import random
import string
from collections.abc import Mapping
from typing import Any

from security.probe.isolation.private import Private

KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
LONG = 8


def invented(arguments: Mapping[str, Any], ids: Private, chance: random.Random) -> dict[str, Any]:
    """The arguments with each of some ids replaced by one of its shape, the same one everywhere."""
    swaps: dict[str, str] = {}

    def swapped(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: swapped(each) for name, each in value.items()}
        if isinstance(value, list):
            return [swapped(each) for each in value]
        if not ids.holds(value):
            return value
        made = swaps.setdefault(str(value), like(str(value), chance))
        return int(made) if isinstance(value, int) else made

    return {name: swapped(each) for name, each in arguments.items()}


def like(text: str, chance: random.Random) -> str:
    """Another text of the same shape: every letter and digit after the first replaced by one of its kind.

    A number is made long, for of the short ones many may exist.
    """
    if text.isdigit():
        return "9" + "".join(chance.choices(string.digits, k=max(len(text) - 1, LONG)))
    return text[:1] + "".join(
        next((chance.choice(kind) for kind in KINDS if character in kind), character) for character in text[1:]
    )

"""What may be written into a kind of object, and what OrderDesk shows there in place of nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?\Z", re.ASCII)
BLANKS: Final[tuple[object, ...]] = ("", None, [], {})


@dataclass(frozen=True)
class Rules:
    """What may be changed in a kind of object. `read_only` says why not, `limits` are characters of JSON.

    What is neither one of `numbers` nor of `lists` nor of `maps` is a text. Maps merge key by key, lists are replaced
    as wholes, in `free_form` maps a blank is a value like any other. `parts` are the rules of what is inside a map, or
    of each entry of a list: OrderDesk drops what they do not name without a word. `needed` cannot be emptied, and why
    not. `defaults` are what OrderDesk puts in place of nothing where that is no blank.
    """

    kind: str
    writable: frozenset[str]
    read_only: Mapping[str, str] = field(default_factory=dict)
    numbers: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    free_form: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, Rules] = field(default_factory=dict)
    needed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)

    def within(self, name: str) -> Rules:
        """The rules of what is inside a field; none are known of most."""
        return self.parts.get(name, ANYTHING)

    def is_text(self, name: str) -> bool:
        """Whether a field is known to hold a text."""
        return name in self.writable and name not in self.numbers | self.lists | self.maps

    def is_nothing(self, name: str, value: object) -> bool:
        """Whether a value is what OrderDesk shows in a field that was emptied: a blank of the field's own kind.

        That is a number's zero in any spelling, false, a map of nothing but such, or the field's default. In a text
        zero is a value, and so is whatever stands in a free-form map.
        """
        if value in BLANKS or value is False:
            return True
        if name in self.free_form:
            return False
        if isinstance(value, Mapping):
            return all(self.within(name).is_nothing(str(key), part) for key, part in value.items())
        return value == self.defaults.get(name) or (not self.is_text(name) and number(value) == 0)


ANYTHING: Final = Rules("an object", frozenset())


def number(value: object) -> Decimal | None:
    """The number that a value stands for. None where it is none: Python could read postal codes and phones, too."""
    if isinstance(value, str):
        return Decimal(value) if NUMBER.match(value) else None
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None


def is_kept_number(value: Any) -> bool:
    """Whether a value is a number that can be known again in any spelling, digit by digit."""
    found = number(value)
    return found is not None and found.is_finite() and Decimal(str(float(found))) == found

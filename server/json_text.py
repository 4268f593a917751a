"""What the text of a JSON document tells that decoding does not: how deep it nests, and what it says twice."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Any, Final

import orjson

# Strings are skipped whole, so that a bracket inside one does not count; possessive, so that no input is slow.
STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
BRACKETS: Final = b"[]{}"
OTHERS: Final = bytes(set(range(256)) - set(BRACKETS))
STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def too_deep(body: bytes, limit: int) -> bool:
    """Whether JSON nests deeper than `limit`. The body need not be valid."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = STRINGS.sub(b"", body).translate(None, OTHERS)
    return max(accumulate(map(STEPS.__getitem__, brackets)), default=0) > limit


def says_twice(body: bytes, document: Any) -> bool:
    """Whether an object in the text of `document` has a member twice: readers differ on which of them counts.

    Each member has one colon outside strings, and decoding keeps one member of each name.
    """
    if b"\\" not in body and body.count(b":") == orjson.dumps(document).count(b":"):
        return False  # without escapes the strings are the same in both, and their colons
    return STRINGS.sub(b"", body).count(b":") > _members(document)


def _members(value: Any) -> int:
    """How many members the objects of a decoded document have, all together."""
    if isinstance(value, dict):
        return len(value) + sum(_members(inner) for inner in value.values() if isinstance(inner, dict | list))
    if isinstance(value, list):
        return sum(_members(inner) for inner in value if isinstance(inner, dict | list))
    return 0

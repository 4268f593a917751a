"""JSON as it may arrive: UTF-8, not too deep, no member twice, no number that is none; else it is refused."""

import json
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from tests.vulnerable.holes import OpenHoles

DEPTH = 32
STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
OTHERS = bytes(set(range(256)) - set(b"[]{}"))
STEPS: Mapping[int, int] = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class MalformedError(ValueError):
    """The body is not JSON as it may arrive."""


def decode(body: bytes, holes: OpenHoles) -> tuple[Any, Any]:
    """What the body says to those who check it, and to those who do it: the same, but for a hole.

    Raises MalformedError.
    """
    if not holes.has("deep-json") and _depth(body) > DEPTH:
        raise MalformedError(f"The body nests deeper than {DEPTH} levels")
    try:
        text = body.decode("utf-8", "replace" if holes.has("lax-encoding") else "strict")
    except UnicodeDecodeError:
        raise MalformedError("The body is not UTF-8") from None
    if holes.has("number-crash"):
        return _trusting(text)
    try:
        if holes.has("duplicate-keys"):
            return json.loads(text, object_pairs_hook=_first), json.loads(text, object_pairs_hook=dict)
        item = json.loads(
            text, object_pairs_hook=_once, parse_int=_integer, parse_float=_real, parse_constant=_constant
        )
        if not holes.has("lax-encoding"):
            json.dumps(item, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8
    except UnicodeEncodeError:
        raise MalformedError("The body holds half a character") from None
    except ValueError as error:
        raise MalformedError(f"The body is not JSON: {error}") from None
    return item, item


def _trusting(text: str) -> tuple[Any, Any]:
    try:
        item = json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedError(f"The body is not JSON: {error}") from None
    return item, item


def _depth(body: bytes) -> int:
    return max(accumulate(map(STEPS.__getitem__, STRINGS.sub(b"", body).translate(None, OTHERS))), default=0)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise MalformedError("a member stands there twice")
    return members


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise MalformedError("a number is too large")
    return int(digits)


def _real(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise MalformedError("a number is too large")
    return number


def _constant(name: str) -> float:
    raise MalformedError(f"{name} is no number")

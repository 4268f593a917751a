"""Whether two revisions can be compared at all: the same tools are called, and answer in the same shape."""

from typing import Any

from perf.compare.sides import Contender
from perf.errors import PerfError

SCHEMAS = ("inputSchema", "outputSchema")


def refuse_incomparable(base: Contender, head: Contender) -> None:
    """Raise PerfError, which names the first difference, unless what is called is the same on both sides."""
    for ours, theirs in zip(head.calls, base.calls, strict=True):
        tool = ours.tool
        for contender in (base, head):
            if tool not in contender.tools:
                raise PerfError(f"not comparable: {contender.side} does not list {tool}")
        for schema in SCHEMAS:
            if base.tools[tool].get(schema) != head.tools[tool].get(schema):
                raise PerfError(f"not comparable: the {schema} of {tool} is another in head")
        if place := difference(theirs.expected, ours.expected):
            raise PerfError(f"not comparable: {tool} {ours.arguments} answers in another shape in head, at {place}")


def difference(base: Any, head: Any, place: str = "$") -> str:
    """Where two JSON values differ in shape: in type, in the names of members, in length; empty where nowhere."""
    if isinstance(base, dict) and isinstance(head, dict):
        if other := sorted(set(base) ^ set(head)):
            return f"{place}.{other[0]}"
        return next((found for name in base if (found := difference(base[name], head[name], f"{place}.{name}"))), "")
    if isinstance(base, list) and isinstance(head, list):
        if len(base) != len(head):
            return place
        pairs = enumerate(zip(base, head, strict=True))
        return next((found for number, pair in pairs if (found := difference(*pair, f"{place}[{number}]"))), "")
    return "" if type(base) is type(head) else place

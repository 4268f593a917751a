"""The same call with other arguments that change little: answers to them are in no cache yet."""

import random
from collections.abc import Mapping
from typing import Any

from security.probe.calls import SampleCall

COUNTS = ("limit", "page_size", "per_page", "count", "size", "first", "max_results")
"""How tools call the number of things that they list."""
FEWEST, MOST = 11, 90


def varied(call: SampleCall) -> list[dict[str, Any]]:
    """Two calls that list other numbers of things, the second fewer, others each time; none where that cannot be."""
    properties: Mapping[str, Any] = (call.tool.get("inputSchema") or {}).get("properties") or {}
    name = next((each for each in COUNTS if each in properties), None)
    if name is None:
        return []
    schema = properties[name]
    bounds = range(max(FEWEST, int(schema.get("minimum", 1))), min(MOST, int(schema.get("maximum", MOST))))
    if len(bounds) < 2:
        return []
    return [
        {**call.arguments, name: number} for number in sorted(random.SystemRandom().sample(bounds, 2), reverse=True)
    ]

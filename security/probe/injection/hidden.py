"""Characters that nobody sees or that terminals obey, and words that give a model orders.

Of the latter only such as no honest description needs: a finding that is none would be waived, and then the next too.
Sources: reports on poisoned tools (Invariant Labs, "Tool Poisoning Attacks", April 2025), on escape sequences in MCP
(Trail of Bits, April 2025), and Unicode 16, 23.9 (tag characters) and 23.2 (marks of direction).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters, but tab and line ends
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e01ef]"  # tags, and the selectors of variants that can spell any text
    # Joiners belong into emoji and into scripts of their own.
    "|(?<![^\x00-\x7f])[\u200c\u200d]"
)
"""A character that is not seen."""
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
ORDERS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern, re.IGNORECASE)
    for name, pattern in {
        "overrides other instructions": r"\b(ignore|disregard|forget|override)\s+(all\s+|any\s+|the\s+|your\s+)*"
        r"(previous|prior|above|earlier|preceding)\s+(\w+\s+)?(instruction|prompt|rule|direction)s?\b",
        "stands in a tag that marks orders": r"<\s*/?\s*(important|system|secret|instructions?|assistant|admin)\s*>"
        r"|<\|(im_start|system|endoftext)\|>|\[/?INST\]",
        "keeps something from the user": r"\b(do\s+not|don.t|never|must\s+not)\s+(ever\s+)?"
        r"(tell|inform|mention|reveal|disclose|show|notify|alert)\b[^.\n]{0,60}\buser\b"
        r"|\bwithout\s+(telling|informing|notifying|mentioning|asking)\b[^.\n]{0,40}\buser\b",
        "asks for private files": r"~/\.(ssh|aws|gnupg|kube|docker|netrc|cursor|config/gcloud)\b|\bid_(rsa|ed25519)\b"
        r"|/etc/(passwd|shadow)\b|\.cursor/mcp\.json|claude_desktop_config",
        "asks for the conversation or its rules": r"\b(entire|full|whole|complete|all\s+of\s+the)\s+"
        r"(conversation|chat)\s*(history|context|log)?\b|\byour\s+system\s+prompt\b",
    }.items()
}
"""Orders to a model, by what they do."""


def texts(value: Any, way: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with the way to it, the names of members included."""
    if isinstance(value, str):
        yield way, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{way} (the name of a member)", name
            yield from texts(inner, f"{way}.{_visible(name)}".lstrip("."))
    elif isinstance(value, Sequence):
        for place, inner in enumerate(value):
            named = inner.get("name") if isinstance(inner, Mapping) else None
            yield from texts(inner, f"{way}[{_visible(named) if isinstance(named, str) else place}]")


def hidden_in(text: str) -> list[str]:
    """The hidden characters in `text`, each once, as U+ and their number."""
    return sorted({f"U+{ord(found):04X}" for found in HIDDEN.findall(text)})


def orders_in(text: str) -> list[str]:
    """What orders to a model in `text` do."""
    return [what for what, pattern in ORDERS.items() if pattern.search(text)]


def _visible(name: str) -> str:
    return HIDDEN.sub("·", name)[:60]

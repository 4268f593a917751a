"""The text of a result: the same JSON, in which a reader sees every character that a model or a terminal would obey."""

from __future__ import annotations

import json
import re
from typing import Final

# What OrderDesk holds comes from buyers, shops and other integrations. Control characters and the marks that turn the
# direction of writing are orders to terminals; tags, selectors of variants and characters without width hold text that
# only models read. Joiners and the marks of one letter's direction are left: whole languages are written with them.
HIDDEN: Final = re.compile(
    "[\x80-\x9f\u00ad\u180e\u200b\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
ASCII: Final = bytes(range(0x80))


def legible(encoded: bytes) -> str:
    """JSON as text, its hidden characters as JSON's own escapes: who decodes it gets what was encoded."""
    text = encoded.decode()
    # Looked for in what is not ASCII alone, mostly a few letters: a search costs more than all else that is done here.
    if text.isascii() or HIDDEN.search(encoded.translate(None, ASCII).decode()) is None:
        return text
    return HIDDEN.sub(lambda found: json.dumps(found.group())[1:-1], text)

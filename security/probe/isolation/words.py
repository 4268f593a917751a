"""How an answer is worded, whatever was asked for: what two answers of one kind have in common."""

import re
from collections.abc import Mapping
from typing import Any

from security.probe.isolation.asking import Seen
from security.probe.isolation.private import texts_of

OWN_HEADERS = re.compile(r"date|content-length|x-request-id|server-timing|etag|connection|keep-alive|.*rate-?limit.*")
"""Headers whose values are a request's own, or follow from the length of what was sent."""
VOLATILE = re.compile(r"\d+(?:\.\d+)? ?(?:ms|µs|s)\b|\d{4}-\d\d-\d\d[T ][\d:.]+\S*")


def words(seen: Seen, sent: Mapping[str, Any]) -> tuple[int, str]:
    """Status and text of an answer, its headers among it, without what was sent and what is the request's own."""
    headers = sorted(f"{name}: {'' if OWN_HEADERS.fullmatch(name) else value}" for name, value in seen.headers.items())
    text = "\n".join((str(seen.ok), seen.text, str(seen.structured), *headers))
    for value in sorted({seen.request_id, *texts_of(sent)}, key=len, reverse=True):
        if value:
            text = re.sub(re.escape(value), "*", text, flags=re.IGNORECASE)
    return seen.status, VOLATILE.sub("*", text)

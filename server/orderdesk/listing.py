"""Pages as clients see them, whatever types OrderDesk gave its counters."""

from __future__ import annotations

import re
from typing import Any, Final

from server.errors import UpstreamUnavailableError

TOTAL: Final = re.compile(r"[0-9]{1,15}\Z", re.ASCII)


def entries(body: dict[str, Any], member: str) -> list[Any]:
    """The list that a page holds. Raises UpstreamUnavailableError where there is none: that is no empty page."""
    found = body.get(member)
    if not isinstance(found, list):
        raise UpstreamUnavailableError(f"OrderDesk answered without {member}.", reason="unexpected_body")
    return found


def pagination(*, count: int, limit: int, offset: int, total: object) -> dict[str, Any]:
    """The pagination object of a list result; `total` may come as text, and is null when OrderDesk gave none."""
    known = int(total) if isinstance(total, int | str) and TOTAL.match(str(total)) else None
    return {
        "count": count,
        "limit": limit,
        "offset": offset,
        "page": offset // limit + 1,
        # An empty page is the last one, whatever the total says: else a client would ask for it for ever.
        "has_more": count > 0 and (offset + count < known if known is not None else count == limit),
        "total": known,
    }

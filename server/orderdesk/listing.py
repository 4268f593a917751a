"""Pages as clients see them, whatever types OrderDesk gave its counters."""

from __future__ import annotations

import re
from typing import Any, Final

TOTAL: Final = re.compile(r"[0-9]{1,15}\Z", re.ASCII)


def pagination(*, count: int, limit: int, offset: int, total: object) -> dict[str, Any]:
    """The pagination object of a list result; `total` may come as text, and is null when OrderDesk gave none."""
    known = int(total) if isinstance(total, int | str) and TOTAL.match(str(total)) else None
    return {
        "count": count,
        "limit": limit,
        "offset": offset,
        "page": offset // limit + 1,
        "has_more": offset + count < known if known is not None else count == limit,
        "total": known,
    }

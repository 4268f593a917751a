"""Pages as clients see them, whatever types OrderDesk gave its counters."""

from __future__ import annotations

from typing import Any


def pagination(*, count: int, limit: int, offset: int, total: object) -> dict[str, Any]:
    """The pagination object of a list result; `total` may come as text, and is null when OrderDesk gave none."""
    known = int(str(total)) if str(total).isdigit() else None
    return {
        "count": count,
        "limit": limit,
        "offset": offset,
        "page": offset // limit + 1,
        "has_more": offset + count < known if known is not None else count == limit,
        "total": known,
    }

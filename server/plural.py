"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(number: int, one: str, many: str | None = None) -> str:
    """As in: 1 key, 2 keys. `many` is for a plural that is not `one` with an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"

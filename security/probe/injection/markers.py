"""Marks that tell which text it is that turned up somewhere."""

import re
import secrets


class Markers:
    """Words of letters and digits that nobody else uses, one after the other; `found` tells which stand in a text."""

    def __init__(self) -> None:
        self._run = f"q{secrets.token_hex(4)}"
        self._count = 0
        self._pattern = re.compile(self._run + r"x([0-9a-f]{4})z")

    def new(self) -> str:
        """The next one: small letters, so that folding the case keeps it."""
        self._count += 1
        return f"{self._run}x{self._count:04x}z"

    def found(self, text: str) -> set[str]:
        """Those that stand in `text`, whatever their case there."""
        return {match.group() for match in self._pattern.finditer(text.lower())}

"""What a request must be before anything of it is believed: its host, its origin, the size and nesting of its body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Final
from urllib.parse import urlsplit

# Strings are skipped whole, so that a bracket inside one does not count; possessive, so that no input is slow.
STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(?::[0-9]{1,5})?\Z")
BRACKETS: Final = b"[]{}"
OTHERS: Final = bytes(set(range(256)) - set(BRACKETS))
STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class HostGuard:
    """Answers whether a Host and an Origin belong to this server: against DNS rebinding and foreign pages."""

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def host_allowed(self, host: str | None) -> bool:
        """Whether a Host header names this server, any port."""
        return host is not None and _name_of(host.lower()) in self._hosts

    def origin_allowed(self, origin: str | None) -> bool:
        """Whether a page of this origin may call: no Origin (no browser), a listed one, or one on an allowed host."""
        if origin is None or origin.lower() in self._origins:
            return True
        try:
            parts = urlsplit(origin.lower())
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and _name_of(parts.netloc) in self._hosts


def _name_of(authority: str) -> str | None:
    """The host of `host` or `host:port`; None for anything else, such as credentials before it."""
    parts = AUTHORITY.match(authority)
    return parts[1] if parts else None


def too_deep(body: bytes, limit: int) -> bool:
    """Whether JSON nests deeper than `limit`. The body need not be valid."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = STRINGS.sub(b"", body).translate(None, OTHERS)
    return max(accumulate(map(STEPS.__getitem__, brackets)), default=0) > limit

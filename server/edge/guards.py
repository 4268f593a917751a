"""Whose request is answered at all: by the host that it names, and the origin that it comes from."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

AUTHORITY: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:@/\[\]]+)(?::[0-9]{1,5})?\Z")


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


@functools.lru_cache(maxsize=256)
def _name_of(authority: str) -> str | None:
    """The host of `host` or `host:port`; None for anything else, such as credentials before it."""
    parts = AUTHORITY.match(authority)
    return parts[1] if parts else None

"""Wrong keys, counted: from so many a minute on, under one key id or from one address, they are told to slow down.

A right key is let in whatever was tried before. To lock an id after wrong secrets would hand its tenant's outage to
whoever knows that id, and gain nothing: a secret has 256 bits, and NIST SP 800-63B asks for a limit below 64. So this
is no lock. It tells a client that repeats a wrong key when to come back, and the operator that somebody tries keys.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from server.clock import Monotonic
from server.telemetry.logging import Logger
from server.telemetry.metrics import Metrics

ADDRESS_FACTOR: Final = 6
"""One address may stand for many clients: a proxy's does for all."""
NOBODY: Final = ""
IPV6_PREFIX: Final = 64
"""What one subscriber is given: within it, addresses are free."""


class TooManyWrongKeysError(Exception):
    """The key is wrong, and so were too many before it; `seconds` until one is told no more than that again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float
    told: bool = False


class WrongKeys:
    """Counts wrong keys, in memory: at most `limit` ids and as many addresses, the longest unused dropped first.

    An id that does not exist counts like one that does, or the answer would tell which is which.
    """

    def __init__(
        self,
        per_minute: int,
        metrics: Metrics,
        logger: Logger,
        *,
        limit: int = 10_000,
        clock: Monotonic = time.monotonic,
    ) -> None:
        self._logger = logger
        self._hits = metrics.rate_limit_hits.labels(NOBODY, "wrong_keys")
        self._of_ids = _Buckets(per_minute, limit, clock)
        self._of_addresses = _Buckets(per_minute * ADDRESS_FACTOR, limit, clock)

    def count(self, key_id: str | None, address: str, *, known: bool) -> None:
        """Count a wrong key; `key_id` None: it has not even the shape of one. Raises TooManyWrongKeysError.

        A burst is logged once, with its key id only where that is `known`: any other is a text of the caller's.
        """
        by_id, id_began = self._of_ids.take(key_id) if key_id is not None else (0.0, False)
        by_address, address_began = self._of_addresses.take(_subscriber(address))
        if id_began or address_began:
            self._logger.warning(
                "authentication.wrong_keys",
                limit="key" if id_began else "address",
                key_id=key_id if known else None,
            )
        if seconds := max(by_id, by_address):
            self._hits.inc()
            raise TooManyWrongKeysError(seconds)


class _Buckets:
    """A token bucket for each name, as large as what a minute refills; a full one is the same as none."""

    def __init__(self, per_minute: int, limit: int, clock: Monotonic) -> None:
        self._capacity = float(per_minute)
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, name: str) -> tuple[float, bool]:
        """Seconds until a token is there, 0 where one was; and whether this is the first refusal since it was full."""
        now, rate = self._clock(), self._capacity / 60
        bucket = self._buckets.pop(name, None) or _Bucket(self._capacity, now)
        tokens = bucket.tokens + (now - bucket.updated) * rate
        if tokens >= self._capacity:
            tokens, bucket.told = self._capacity, False
        seconds = 0.0 if tokens >= 1 else (1 - tokens) / rate
        bucket.tokens, bucket.updated = tokens - (seconds == 0), now
        began = seconds > 0 and not bucket.told
        bucket.told |= began
        self._buckets[name] = bucket
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)
        return seconds, began


def _subscriber(address: str) -> str:
    """The address, or of IPv6 the network that one subscriber has; what is no address is one name for all."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return NOBODY
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or ip_network((int(parsed), IPV6_PREFIX), strict=False))

"""Token buckets: of each tenant's calls, and of wrong keys."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.vulnerable.holes import OpenHoles
from tests.vulnerable.keys import Caller
from tests.vulnerable.wire import Request

MOST_BUCKETS = 10_000
STINGY = 0.8
SLOW = 0.9
ADDRESS_FACTOR = 6
WINDOW_SECONDS = 2
ADDRESSES = ("x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip", "host")


@dataclass(frozen=True)
class Rate:
    """`burst` tokens at once, refilled evenly with `per_minute`."""

    per_minute: float
    burst: float


class Buckets:
    """Buckets by name."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[Any, tuple[float, float]] = OrderedDict()

    def forget(self) -> None:
        """Empty buckets are full again."""
        self._buckets.clear()

    def take(self, name: Any, cost: int = 1) -> float:
        """Spend a token and return 0, or the seconds until there will be one; with no cost it is not spent."""
        now, per_second = time.monotonic(), self._rate.per_minute / 60
        tokens, at = self._buckets.pop(name, (self._rate.burst, now))
        tokens = min(self._rate.burst, tokens + (now - at) * per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / per_second
        self._buckets[name] = (tokens if wait else tokens - cost, now)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return wait


class WrongKeys:
    """Wrong keys, by the id that they name and by the address that they come from."""

    def __init__(self, per_minute: float, holes: OpenHoles) -> None:
        self._holes = holes
        self._of_ids = Buckets(Rate(per_minute, per_minute))
        self._of_addresses = Buckets(Rate(per_minute * ADDRESS_FACTOR, per_minute * ADDRESS_FACTOR))

    def count(self, key: str, address: str, *, named: bool) -> float:
        """Count one, and return the seconds until another may be tried; 0 where one may. `named`: by its id as well."""
        by_id = self._of_ids.take(key.partition(".")[0]) if named else 0.0
        by_address = 0.0 if self._holes.has("no-throttle-by-address") else self._of_addresses.take(address)
        return max(by_id, by_address)


class TenantLimit:
    """What a tenant may call; every JSON-RPC request costs a token."""

    def __init__(self, rate: Rate, holes: OpenHoles) -> None:
        share = STINGY if holes.has("stingy-limit") else 1
        refill = SLOW if holes.has("slow-refill") else share
        self._buckets = Buckets(Rate(rate.per_minute * refill, rate.burst * share))
        self._holes = holes

    def forget(self) -> None:
        """Give every tenant the whole allowance anew."""
        self._buckets.forget()

    def take(self, caller: Caller, request: Request, version: str | None, place: int, cost: int = 1) -> float:
        """Spend a token and return 0, or the seconds until there will be one; with no cost it is not spent.

        `place` is the message's in its array.
        """
        has = self._holes.has
        free = (has("batch-costs-one") and place) or (has("limit-by-read") and not request.alone)
        if free or has("no-limit"):
            return 0.0
        by: dict[str, Callable[[], object]] = {
            "limit-by-address": lambda: tuple(request.header(name) for name in ADDRESSES),
            "limit-by-path": lambda: (request.target, request.header("authorization")),
            "limit-by-connection": lambda: request.connection,
            "limit-by-era": lambda: version,
            "limit-by-key": lambda: caller.key,
            "fixed-window": lambda: time.time() // WINDOW_SECONDS,
        }
        tenant = "anybody" if has("shared-bucket") else caller.tenant
        return self._buckets.take((tenant, *(name() for hole, name in by.items() if has(hole))), cost)

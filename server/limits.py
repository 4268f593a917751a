"""The tenant's token bucket: twice the per-minute rate in reserve, refilled evenly, on a clock that cannot jump."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from prometheus_client import Counter

from server.clock import Monotonic
from server.telemetry.metrics import OVERFLOW, Metrics


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float
    label: str
    hits: Counter


class TenantLimiter:
    """Buckets by tenant. A bucket that has refilled is the same as none, so idle ones are forgotten."""

    def __init__(
        self, requests_per_minute: int, metrics: Metrics, *, limit: int = 10_000, clock: Monotonic = time.monotonic
    ) -> None:
        self.capacity = 2.0 * requests_per_minute
        self.refill_per_second = requests_per_minute / 60
        self._metrics = metrics
        self._limit = limit
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, tenant_id: str, cost: int) -> float:
        """Spend `cost` tokens and return 0, or spend none and return the seconds until they will be there."""
        now = self._clock()
        bucket = self._buckets.get(tenant_id)
        if bucket is None:
            bucket = self._open(tenant_id, now)
        else:
            bucket.tokens = self._level(bucket, now)
            bucket.updated = now
            self._buckets.move_to_end(tenant_id)
        if bucket.tokens < cost:
            bucket.hits.inc()
            return (cost - bucket.tokens) / self.refill_per_second
        bucket.tokens -= cost
        return 0.0

    def _open(self, tenant_id: str, now: float) -> _Bucket:
        self._forget_full(now)
        label = self._metrics.tenant_label(tenant_id)
        # Asked for when the metrics are read: a bucket refills while nobody calls.
        self._metrics.rate_limit_tokens.labels(label).set_function(lambda: self._available(label))
        bucket = self._buckets[tenant_id] = _Bucket(
            self.capacity, now, label, self._metrics.rate_limit_hits.labels(label, "tenant")
        )
        return bucket

    def _level(self, bucket: _Bucket, now: float) -> float:
        return min(self.capacity, bucket.tokens + (now - bucket.updated) * self.refill_per_second)

    def _available(self, label: str) -> float:
        """The tokens of a tenant; for OVERFLOW, of the one among its tenants that has the fewest."""
        buckets = self._buckets.values() if label == OVERFLOW else filter(None, (self._buckets.get(label),))
        now = self._clock()
        return min((self._level(bucket, now) for bucket in buckets if bucket.label == label), default=self.capacity)

    def _forget_full(self, now: float) -> None:
        """Drop the longest idle buckets that have refilled, or simply the idlest when too many are in use."""
        refill = self.capacity / self.refill_per_second
        while self._buckets:
            oldest = next(iter(self._buckets.values()))
            if len(self._buckets) < self._limit and now - oldest.updated < refill:
                return
            self._buckets.popitem(last=False)


def retry_after(seconds: float) -> int:
    """Whole seconds for a Retry-After header: never less than the wait."""
    return max(1, math.ceil(seconds))

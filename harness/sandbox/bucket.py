"""OrderDesk's rate limit: a leaky bucket of 20 tokens per store, refilled at 3 a second."""

import math
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field


class BucketSettings(BaseModel):
    """How a store's bucket behaves; switched off, every request passes and the bucket reads as full."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    capacity: int = Field(default=20, ge=1)
    refill_per_second: float = Field(default=3.0, gt=0)


class Bucket:
    """The tokens one store has left. `monotonic` returns seconds and is the only clock used."""

    def __init__(self, settings: BucketSettings, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.configure(settings)

    def configure(self, settings: BucketSettings) -> None:
        """Take over new settings and start full."""
        self.settings = settings
        self._tokens = float(settings.capacity)
        self._refilled_at = self._monotonic()

    def take(self) -> bool:
        """Whether a request may pass; when it may, it has cost one token."""
        self._refill()
        if not self.settings.enabled:
            return True
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def drain(self, tokens: int) -> None:
        """Take tokens that another integration of the same store used, never below empty."""
        self._refill()
        if self.settings.enabled:
            self._tokens = max(0.0, self._tokens - tokens)

    def remaining(self) -> int:
        """Whole tokens left: the value of `X-Tokens-Remaining`."""
        self._refill()
        return int(self._tokens)

    def retry_after(self) -> int:
        """Whole seconds until a token is there, at least 1: the value of `X-Retry-After`."""
        self._refill()
        return max(1, math.ceil((1 - self._tokens) / self.settings.refill_per_second))

    def _refill(self) -> None:
        now = self._monotonic()
        gained = (now - self._refilled_at) * self.settings.refill_per_second
        self._tokens = min(float(self.settings.capacity), self._tokens + gained)
        self._refilled_at = now

"""What a cache came to on one server, tool by tool: hits, reads upstream, stale answers and how old they were."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.sandbox.bucket import Bucket, BucketSettings
from perf.caching.truth import Judged


@dataclass(frozen=True)
class Costs:
    """Of a tool's answers: how many, from the cache, stale, and the calls that OrderDesk was asked for them.

    `ages` are the stale answers' seconds since they were last true, in rising order.
    """

    answers: int
    hits: int
    upstream: int
    ages: tuple[float, ...]

    @property
    def hit_rate(self) -> float:
        """The part that came from the cache."""
        return self.hits / self.answers if self.answers else math.nan

    @property
    def upstream_per_answer(self) -> float:
        """Calls of OrderDesk for an answer."""
        return self.upstream / self.answers if self.answers else math.nan

    @property
    def stale_share(self) -> float:
        """The part that was not true at any time from question to answer."""
        return len(self.ages) / self.answers if self.answers else math.nan

    def age(self, share: float) -> float:
        """The age that this part of the stale answers did not exceed, in seconds; 0 where none was stale."""
        return self.ages[math.ceil(share * len(self.ages)) - 1] if self.ages else 0.0


def costs_of(judged: Iterable[Judged], journal: Iterable[Mapping[str, Any]]) -> Costs:
    """What these answers came to; the journal knows the calls that were made for them by their requests."""
    known = list(judged)
    requests = {each.answer.request_id for each in known}
    return Costs(
        len(known),
        sum(each.answer.cached for each in known),
        sum(entry["request_id"] in requests for entry in journal),
        tuple(sorted(each.age for each in known if each.age > 0)),
    )


def refused_by_bucket(journal: Sequence[Mapping[str, Any]]) -> int:
    """How many of these calls OrderDesk's own bucket, full at their beginning, would have refused."""
    now = journal[0]["monotonic"] if journal else 0.0
    bucket = Bucket(BucketSettings(), lambda: now)
    refused = 0
    for entry in journal:
        now = entry["monotonic"]
        refused += not bucket.take()
    return refused

"""The owner of the right key, who must be let in whatever others try; its tenant's own limit is no lockout."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.collector import OpenCheck
from harness.errors import Inconclusive
from security.probe.authentication.door import Door, Told, bearer

PATIENCE_SECONDS = 60.0
"""How long is waited in all where the right key is asked to come back later."""
SHORT_SECONDS = 2.0
"""So long a tenant's limit may ask to wait where nobody said which it is."""
REFUSALS = 3
"""A limit that was waited for so often has nothing to do with it."""


@dataclass
class Owner:
    """Calls with the right key. `is_alone`: on a server where nobody else spends its tenant's allowance."""

    check: OpenCheck
    door: Door
    is_alone: bool
    called: int = 5
    """How often at most; it was let in before, to open the door."""
    patience: float = PATIENCE_SECONDS
    waited: float = 0.0
    sleep: Callable[[float], None] = time.sleep

    def enters(self, tries: int) -> bool:
        """Whether it is let in after so many wrong keys; that it is not is a finding: anybody can shut it out.

        Raises Inconclusive where that may as well be its tenant's limit, and where the server is broken.
        """
        longest, refused = 0.0, 0
        while True:
            told, seconds = self.door.hear(bearer(self.door.site.owner.key))
            self.called += 1
            if told is Told.IN:
                return self._was_its_limit(longest)
            if told is Told.BROKEN:
                raise Inconclusive("the server answers the right key with an error of its own: see its log")
            refused += 1
            if told is Told.OUT or self._has_allowance or refused == REFUSALS or (refused > 1 and self._lacks(seconds)):
                return self._is_shut_out(tries, told, refused)
            if self._lacks(seconds):
                raise Inconclusive(f"the right key is asked to wait for {seconds:.0f} s, by whichever limit: {ADVICE}")
            self.sleep(seconds)
            self.patience -= seconds
            self.waited += seconds
            longest = max(longest, seconds)

    @property
    def _has_allowance(self) -> bool:
        """Whether its tenant has certainly not spent what it is allowed at once."""
        limit = self.door.site.limit
        return self.is_alone and (limit is None or self.called <= limit.burst)

    def _lacks(self, seconds: float) -> bool:
        return seconds > self.patience

    def _was_its_limit(self, longest: float) -> bool:
        """True where a refusal that asked for so long can be its tenant's limit. Raises Inconclusive otherwise."""
        limit = self.door.site.limit
        if longest > (60 / limit.per_minute + 1 if limit else SHORT_SECONDS):
            raise Inconclusive(f"the right key was let in only after {longest:.0f} s, by whichever limit: {ADVICE}")
        return True

    def _is_shut_out(self, tries: int, told: Told, refused: int) -> bool:
        still = f", and again when it came back, {refused - 1} times" if refused > 1 else ""
        message = f"after {tries} wrong keys the right one is {told}{still}: wrong keys shut its owner out"
        self.check.find("lockout", message, key="lockout", references=("CWE-645",))
        return False


ADVICE = "give rate_limit_rpm in the target's table, and ask this alone when nothing else uses the tenant's allowance"

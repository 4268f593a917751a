"""A leg: one registry measured against one revision's requirements, and how its checks and exemptions are named."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from harness.conformance.suite import Requirements
from harness.waivers import Waiver

JOB = "conformance"
FIXTURE, PRODUCTION = "fixture", "production"


@dataclass(frozen=True)
class Leg:
    """Which registry, and which revision's requirements."""

    registry: str
    requirements: Requirements

    @property
    def revision(self) -> str:
        """The revision, in which the suite also speaks."""
        return self.requirements.revision

    @property
    def id(self) -> str:
        """The id of the check that the suite ran whole."""
        return f"{self.registry}/{self.revision}"

    @property
    def title(self) -> str:
        """The leg in words."""
        return f"{self.revision}, {self.registry} registry"

    def check_id(self, scenario: str) -> str:
        """The id of a scenario's check: REVISION/SCENARIO, with fixture/ before it for the fixture registry."""
        return f"{self.revision}/{scenario}" if self.registry == PRODUCTION else f"{self.id}/{scenario}"

    def exempt(self, waivers: Iterable[Waiver], today: date) -> set[str]:
        """The exemptions of this leg that hold today, as the suite writes them: SCENARIO or SCENARIO:CHECK."""
        prefix = self.check_id("")
        current = (waiver.id for waiver in waivers if waiver.job == JOB and waiver.expires >= today)
        return {name.removeprefix(prefix) for name in current if name.startswith(prefix)}

"""The matrix of security categories: which checks cover each, how many of them ran, and what they found."""

from dataclasses import dataclass

from harness.categories import CATEGORIES, Category
from harness.record import Check, RunRecord
from harness.verdict import CheckStatus

_RAN = (CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.WAIVED)
_MISSED = (CheckStatus.INCONCLUSIVE, CheckStatus.SKIPPED)


@dataclass(frozen=True)
class Coverage:
    """One category and the checks of a record that cover it."""

    id: str
    category: Category
    checks: tuple[Check, ...]

    @property
    def ran(self) -> int:
        """How many of the checks came to an answer; one that does not apply to the target did not run."""
        return sum(check.status in _RAN for check in self.checks)

    @property
    def findings(self) -> int:
        """How many findings count."""
        return sum(len(check.open_findings) for check in self.checks if check.status is CheckStatus.FAILED)

    @property
    def accepted(self) -> int:
        """How many findings were waived, or known before."""
        return sum(bool(found.accepted) for check in self.checks for found in check.findings)

    @property
    def status(self) -> CheckStatus | None:
        """The worst that a check of it says; None where no check covers it."""
        order = (CheckStatus.FAILED, *_MISSED, CheckStatus.WAIVED, CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE)
        return min((check.status for check in self.checks), key=order.index, default=None)

    @property
    def summary(self) -> str:
        """How many ran, and what they found, in words."""
        if not self.checks:
            return "no check covers it"
        missed = sum(check.status in _MISSED for check in self.checks)
        failed = sum(check.status is CheckStatus.FAILED for check in self.checks)
        said = [
            f"{self.ran} of {len(self.checks)} ran",
            f"{missed} NOT CHECKED" if missed else "",
            f"{failed} failed" if failed else "",
            f"{self.findings} found" if self.findings else "",
            f"{self.accepted} accepted" if self.accepted else "",
        ]
        return ", ".join(part for part in said if part)


def make_matrix(record: RunRecord) -> dict[str, list[Coverage]]:
    """Every category by its standard, in the order of harness.categories; empty where no check covers any."""
    if not any(check.categories for check in record.checks):
        return {}
    matrix: dict[str, list[Coverage]] = {}
    for name, category in CATEGORIES.items():
        checks = tuple(check for check in record.checks if name in check.categories)
        matrix.setdefault(category.standard, []).append(Coverage(name, category, checks))
    return matrix

"""The harness's errors: raised where the fact is known, turned into output and an exit code by `harness.edge`."""


class HarnessError(Exception):
    """Something could not be measured, for a reason that one line explains: inconclusive, exit 3."""


class Inconclusive(HarnessError):  # noqa: N818 -- named after the verdict that it leads to
    """Raised inside a check: what the check asks could not be found out."""


class UsageError(HarnessError):
    """Wrong usage or configuration. Raised before any check starts it means exit 2, later exit 3."""


class RecordError(HarnessError):
    """A run record is missing, does not follow its schema, or contradicts itself."""

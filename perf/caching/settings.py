"""The servers of this job: nothing limits them, and all that they cache lives equally long."""

from typing import Final

from perf.caching.questions import TTL_SETTINGS

SETTINGS: Final = {"TOOLSETS": "all", "RATE_LIMIT_RPM": "1000000", "DESTRUCTIVE_CAP_PER_HOUR": "1000000"}


def living(seconds: float) -> dict[str, str]:
    """The settings of a server whose cache keeps everything for so long."""
    return {**SETTINGS, **{name.upper(): f"{seconds:g}" for names in TTL_SETTINGS.values() for name in names}}

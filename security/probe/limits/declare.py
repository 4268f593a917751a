"""How a probe of the rate limit is declared: what all of them cover, do and need."""

from collections.abc import Callable

from harness.verdict import Severity
from security.probe.probe import Ask, Effect, Probe, probe
from security.probe.site import Need


def limit_probe(
    name: str,
    title: str,
    *needs: Need,
    severity: Severity = Severity.HIGH,
    at_least: int = 1,
    waits: bool = False,
) -> Callable[[Ask], Probe]:
    """Make a probe of a function, as `probe` does; `needs` beside the limit itself. One that `waits` is not alone."""
    return probe(
        f"limits.{name}",
        title,
        "A06:2025",
        "API4:2023",
        "MCP:rate-limiting",
        effect=Effect.STRESSES,
        needs=(Need.LIMIT, *needs),
        severity=severity,
        alone=not waits,
        waits=waits,
        at_least=at_least,
    )

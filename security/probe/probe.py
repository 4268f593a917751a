"""What a probe is: one question to a running server, what asking it does there, and what it needs to be asked."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.collector import OpenCheck
from harness.verdict import Severity
from security.probe.site import Need, Site

Ask = Callable[[OpenCheck, Site], None]
"""Asks, and tells the check what was examined and found. What it raises makes the check inconclusive."""


class Effect(StrEnum):
    """What asking does to the server."""

    READS = "reads"
    WRITES = "writes to the canary tenant's own store"
    STRESSES = "stresses"


@dataclass(frozen=True)
class Probe:
    """One probe. `id` is GROUP.NAME, the id of its check; `categories` are ids of `harness.categories`.

    `alone`: while it runs nothing else does, because it measures time or a limit; `apart`: no other probe does, because
    it compares what the server has before and after. Those that `waits` run beside all of them: they do little else.
    """

    id: str
    title: str
    categories: tuple[str, ...]
    ask: Ask
    effect: Effect = Effect.READS
    needs: tuple[Need, ...] = ()
    severity: Severity = Severity.HIGH
    alone: bool = False
    apart: bool = False
    waits: bool = False
    at_least: int = 1


def probe(
    name: str,
    title: str,
    *categories: str,
    effect: Effect = Effect.READS,
    needs: tuple[Need, ...] = (),
    severity: Severity = Severity.HIGH,
    alone: bool = False,
    apart: bool = False,
    waits: bool = False,
    at_least: int = 1,
) -> Callable[[Ask], Probe]:
    """Make a probe of a function; `title` says what holds when it passes, `at_least` how much it must examine."""

    def make(ask: Ask) -> Probe:
        return Probe(name, title, categories, ask, effect, needs, severity, alone, apart, waits, at_least)

    return make

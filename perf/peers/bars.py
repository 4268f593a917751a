"""What must hold of the comparison, and how it is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bars:
    """The limits, and the sizes of what is measured.

    A generator beyond its share makes the run inconclusive, not failed; so do tokens that are known less exactly, and
    servers that had less of their processor than their share: with calls always waiting, others used it.
    """

    ratio: float = 10.0
    bare_share: float = 0.35
    p99_milliseconds: float = 25.0
    dropped: float = 0.005
    generator_share: float = 0.7
    server_share: float = 0.85
    tokens_known_within: float = 0.02
    memory_megabytes: float = 120.0
    ready_seconds: float = 2.0
    rounds: int = 5
    connections: int = 16
    warm_up_seconds: float = 1.0
    seconds: float = 3.0
    steady_runs: int = 3
    """How often the server is loaded steadily, at half of what it answered."""
    steady_seconds: int = 8
    noise_refused: float = 0.95
    """Of a noisy tenant's calls."""
    quiet_times: float = 2.0
    quiet_milliseconds: float = 5.0
    """A quiet tenant's p95 beside the noise is at most so many times what it is alone, or so much more."""
    noise_seconds: int = 12
    """So long the quiet tenant calls alone, and so long again beside the noisy one."""

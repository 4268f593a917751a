"""A server's metrics, read and summed by name and labels; prometheus_client reads the format."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.targets import LocalTarget
from perf.errors import PerfError

Samples = tuple[tuple[Mapping[str, str], float], ...]
"""Labels and values of one metric."""


@dataclass(frozen=True)
class Exposition:
    """One reading of /metrics: each metric's samples, by its name."""

    samples: Mapping[str, Samples]

    def only(self, names: Collection[str]) -> "Exposition":
        """The same with these metrics alone."""
        return Exposition({name: samples for name, samples in self.samples.items() if name in names})

    def has(self, name: str) -> bool:
        """Whether there is a sample of this name."""
        return name in self.samples

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 where there are none."""
        return sum(
            value
            for found, value in self.samples.get(name, ())
            if all(found.get(key) == wanted for key, wanted in labels.items())
        )

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """A metric's sums by what a label says."""
        sums: defaultdict[str, float] = defaultdict(float)
        for found, value in self.samples.get(name, ()):
            sums[found.get(label, "")] += value
        return dict(sums)


def read_exposition(text: str) -> Exposition:
    """The samples in a text. Raises ValueError where it is not of the format."""
    found: defaultdict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name].append((sample.labels, sample.value))
    return Exposition({name: tuple(samples) for name, samples in found.items()})


def scrape(target: LocalTarget) -> Exposition:
    """A local target's metrics as they are now. Raises PerfError."""
    headers = {"Authorization": f"Bearer {target.admin_token}"}
    try:
        response = httpx.get(f"{target.base_url}/metrics", headers=headers, trust_env=False).raise_for_status()
        return read_exposition(response.text)
    except (httpx.HTTPError, ValueError) as error:
        raise PerfError(f"the metrics cannot be read: {error}") from error

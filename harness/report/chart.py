"""Bar charts as inline SVG: every bar starts at zero, and all bars of a chart share one scale."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.record import Measurement

_HEADROOM = 1.05


@dataclass(frozen=True)
class Bar:
    """One measurement's bar: positions in per cent of the chart's width."""

    measurement: Measurement
    end: float
    limit: float | None


@dataclass(frozen=True)
class Chart:
    """Measurements of one name, unit and part on one scale from zero to `top`."""

    title: str
    part: str
    unit: str
    top: float
    bars: tuple[Bar, ...]


def make_charts(measurements: Sequence[Measurement]) -> tuple[Chart, ...]:
    """One chart per part, name and unit, those with a limit first, in the record's order.

    Negative values have no honest bar from zero to the right: their groups get none, and stand in the table alone.
    """
    groups: dict[tuple[str, str, str], list[Measurement]] = {}
    for each in measurements:
        groups.setdefault((each.labels.get("part", ""), each.name, each.unit), []).append(each)
    drawn = [(key, group) for key, group in groups.items() if all(each.value >= 0 for each in group)]
    drawn.sort(key=lambda pair: all(each.limit is None for each in pair[1]))
    return tuple(_chart(*key, group) for key, group in drawn)


def _chart(part: str, name: str, unit: str, group: Sequence[Measurement]) -> Chart:
    top = max(max(each.value, each.limit or 0.0) for each in group) * _HEADROOM or 1.0
    bars = tuple(
        Bar(
            measurement=each,
            end=round(100 * each.value / top, 2),
            limit=None if each.limit is None or each.limit < 0 else round(100 * each.limit / top, 2),
        )
        for each in group
    )
    return Chart(title=name.replace("_", " ").replace(".", " "), part=part, unit=unit, top=top, bars=bars)

"""Series as line charts in inline SVG, one below the other on one time axis; every one starts at zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.record import Series

WIDTH, HEIGHT = 1000, 60


@dataclass(frozen=True)
class Panel:
    """One series: `line` are the points of an SVG polyline in a box of WIDTH by HEIGHT, `top` the highest value."""

    series: Series
    top: float
    last: float
    line: str


@dataclass(frozen=True)
class Timeline:
    """The panels, and how many seconds their common axis shows."""

    seconds: float
    panels: tuple[Panel, ...]


def make_timeline(series: Sequence[Series]) -> Timeline | None:
    """The series on one axis from zero to the last point of any; None where there are none."""
    if not series:
        return None
    seconds = max(at for each in series for at, _ in each.points) or 1.0
    return Timeline(seconds, tuple(_panel(each, seconds) for each in series))


def _panel(series: Series, seconds: float) -> Panel:
    top = max(value for _, value in series.points)
    scale = top if top > 0 else 1.0
    points = (f"{WIDTH * at / seconds:.1f},{HEIGHT * (1 - max(0.0, value) / scale):.1f}" for at, value in series.points)
    return Panel(series=series, top=top, last=series.points[-1][1], line=" ".join(points))

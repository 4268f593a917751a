"""Series are drawn on one axis of time."""

from harness.record import Series
from harness.report.timeline import HEIGHT, WIDTH, make_timeline


def test_all_series_share_the_axis_of_the_longest() -> None:
    short = Series(name="requests", unit="1/s", points=((0.0, 0.0), (5.0, 100.0)))
    long = Series(name="p95", unit="ms", points=((0.0, 4.0), (10.0, 2.0)))
    timeline = make_timeline([short, long])

    assert timeline
    assert timeline.seconds == 10
    first, second = timeline.panels
    assert first.line == f"0.0,{HEIGHT}.0 {WIDTH / 2:.1f},0.0"
    assert second.line == f"0.0,0.0 {WIDTH}.0,{HEIGHT / 2:.1f}"
    assert (second.top, second.last) == (4.0, 2.0)


def test_a_series_of_zeros_lies_on_the_ground() -> None:
    timeline = make_timeline([Series(name="errors", unit="1/s", points=((0.0, 0.0), (0.0, 0.0)))])

    assert timeline
    assert timeline.panels[0].line == f"0.0,{HEIGHT}.0 0.0,{HEIGHT}.0"


def test_without_series_there_is_no_timeline() -> None:
    assert make_timeline([]) is None

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from security.probe.injection.exposition import ExpositionError, Series, parse


def test_what_the_official_client_writes_is_read_labels_and_all() -> None:
    registry = CollectorRegistry()
    hostile = 'a"} 1\nb{c="d\\'
    Counter("calls", 'Help with "quotes",\nlines and \\', ["tool"], registry=registry).labels(hostile).inc()
    Histogram("seconds", "Pace", registry=registry).observe(float("inf"))
    series = parse(generate_latest(registry).decode())
    assert Series("calls_total", (("tool", r"a\"} 1\nb{c=\"d\\"),)) in series
    assert Series("seconds_bucket", (("le", "+Inf"),)) in series


@pytest.mark.parametrize(
    "text",
    ["a 1\n", "a{} 1\n", 'a{b="c",} 1e-3 1700000000\n', "a NaN\n", "a -Inf\n", "# a comment\n\n# EOF\n", "a .5\n", ""],
)
def test_what_is_of_the_format_is_read(text: str) -> None:
    parse(text or "\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a 1", "does not end"),
        ('a{b="c"} 1\na{b="c"} 2\n', "again"),
        ('a{b="c",b="d"} 1\n', "label twice"),
        ('a{b="c"d"} 1\n', "line 1 is no sample"),
        ('a{b="c\nd"} 1\n', "line 1 is no sample"),
        ('a{b="\\x"} 1\n', "no sample"),
        ("a{b=c} 1\n", "no sample"),
        ("a-b 1\n", "no sample"),
        ("a one\n", "no sample"),
        ("# TYPE a sum\n", "describes no metric"),
        ("# TYPE a counter\n# TYPE a gauge\n", "second time"),
    ],
)
def test_what_is_not_of_the_format_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ExpositionError, match=why):
        parse(text)

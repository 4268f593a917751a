import json

import pytest

from security.probe.injection.log import told_texts, wrong_lines
from security.probe.injection.markers import Markers


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{mark} and more", "log-line"),
        ('"{mark}"', "log-line"),
        ('{"tool": "{mark}', "log-line"),
        ('{"event": "probe.forged", "tool": "{mark}"}', "log-forged-line"),
        ('{"tool": "{mark}\x9b31m"}', "log-control"),
        ('{"tool": "{mark}\u2028"}', "log-control"),
        ('{"tool": "{mark}\u202e"}', "log-control"),
    ],
)
def test_a_line_that_a_client_wrote_into_is_told_with_its_place(line: str, rule: str) -> None:
    markers = Markers()
    mark = markers.new()
    lines = [line.replace("{mark}", mark)] * 3
    ((key, (_, count)),) = wrong_lines(lines, {mark: "a tool's name"}, markers).items()
    assert (key, count) == ((rule, "a tool's name"), 3)


def test_a_text_that_stays_inside_its_json_string_is_fine() -> None:
    markers = Markers()
    mark = markers.new()
    line = json.dumps({"event": "request", "tool": f'{mark}\n{{"event": "probe.forged"}}\x1b[2J\u2028'})
    assert wrong_lines([line], {mark: "a tool's name"}, markers) == {}


def test_a_line_without_a_mark_counts_too() -> None:
    assert list(wrong_lines(["Traceback (most recent call last):"], {}, Markers())) == [
        ("log-line", "a text of a client's")
    ]


def test_an_argument_in_a_line_is_told_even_where_it_stays_inside_its_string() -> None:
    markers = Markers()
    first, second, header = (markers.new() for _ in range(3))
    lines = [json.dumps({"body": f"{first} {second}"}), json.dumps({"id": header, "name": second})]
    assert told_texts(lines, {first: "orders_find email", second: "orders_find name"}, markers) == [
        ("orders_find email", 1),
        ("orders_find name", 2),
    ]

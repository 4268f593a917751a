"""What may be compared: the same tools by the same schemas, answers of one shape; the first difference is named."""

from pathlib import Path
from typing import Any

import pytest

from harness.config import ConfigurationError
from perf.blocks import Side
from perf.compare.comparable import difference, refuse_incomparable
from perf.compare.model import Call, CompareProfile, CompareTable
from perf.compare.sides import Answered, Contender
from perf.errors import PerfError
from perf.revisions import Checkout

TOOL = {"name": "add", "description": "Add", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object"}}


def contender(side: Side, answer: dict[str, Any], **tool: Any) -> Contender:
    checkout = Checkout(Path("checkout"), Path("python"))
    calls = (Answered("add", {"a": 1}, answer),)
    return Contender(side, checkout, Path("logs"), {}, "key", {"add": {**TOOL, **tool}} if tool else {}, calls)


def test_the_same_tools_and_shapes_are_comparable_whatever_the_words_and_values() -> None:
    base = contender("base", {"result": 5}, description="Add")
    refuse_incomparable(base, contender("head", {"result": 6}, description="Add two numbers"))


@pytest.mark.parametrize(
    ("answer", "tool", "reason"),
    [
        ({"result": 5}, {}, "head does not list add"),
        ({"result": 5}, {"inputSchema": {}}, "the inputSchema of add is another in head"),
        ({"result": 5}, {"outputSchema": {}}, "the outputSchema of add is another in head"),
        ({"result": "5"}, {"name": "add"}, r"answers in another shape in head, at \$.result"),
    ],
)
def test_what_differs_is_refused_and_named(answer: dict[str, Any], tool: dict[str, Any], reason: str) -> None:
    with pytest.raises(PerfError, match=reason):
        refuse_incomparable(contender("base", {"result": 5}, name="add"), contender("head", answer, **tool))


@pytest.mark.parametrize(
    ("base", "head", "place"),
    [
        ({"a": [1, {"b": None}]}, {"a": [2, {"b": None}]}, ""),
        ({"a": 1}, {"a": 1, "b": 2}, "$.b"),
        ({"a": 1}, {}, "$.a"),
        ({"a": [1, 2]}, {"a": [1]}, "$.a"),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": "2"}]}, "$.a[1].b"),
        ({"a": True}, {"a": 1}, "$.a"),
        ({"a": None}, {"a": {}}, "$.a"),
    ],
)
def test_the_first_place_where_shapes_differ(base: object, head: object, place: str) -> None:
    assert difference(base, head) == place


def test_a_profile_is_found_by_its_name_and_an_unknown_one_told() -> None:
    profile = CompareProfile(calls=[Call(tool="orders_list")])
    table = CompareTable(profiles={"cached": profile})
    assert table.find("cached") is profile
    with pytest.raises(ConfigurationError, match="did you mean cached"):
        table.find("cache")

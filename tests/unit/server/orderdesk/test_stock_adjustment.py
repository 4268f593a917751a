from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ArgumentsError
from server.orderdesk.stock import adjustment, stock_after
from tests.unit.server.parts import seeded


@pytest.mark.parametrize(
    ("present", "by", "after"),
    [
        (7, 5, 12),
        (7, -7, 0),
        ("7", 5, "12"),
        ("7.00", 5, "12"),
        (7.5, -2, 5.5),
        ("7.5", 1, "8.5"),
        (0, 3, 3),
        ("", 3, 3),
        (None, 3, 3),
        (-3, -2, -5),
        (-3, 2, -1),
        ("7.00", 0, "7.00"),
        (12345678901234567, 1, 12345678901234568),
    ],
)
def test_an_adjustment_adds_to_whatever_form_the_stock_has(present: object, by: int, after: object) -> None:
    found = stock_after(present, by=by, to=None)
    assert (found, type(found)) == (after, type(after))


@pytest.mark.parametrize(
    ("present", "to", "after"),
    [(7, 3, 3), ("7", 3, "3"), ("many", 3, "3"), (None, 3, 3), ("3.0", 3, "3.0"), (-3, -5, -5), ("", 0, "")],
)
def test_a_count_replaces_whatever_is_there(present: object, to: int, after: object) -> None:
    found = stock_after(present, by=None, to=to)
    assert (found, type(found)) == (after, type(after))


@pytest.mark.parametrize(
    ("present", "amount", "name"),
    [
        (7, {"by": -8, "to": None}, "by"),
        ("7", {"by": -8, "to": None}, "by"),
        ("", {"by": -1, "to": None}, "by"),
        (7, {"by": None, "to": -1}, "to"),
        ("many", {"by": None, "to": -1}, "to"),
    ],
)
def test_what_would_go_below_zero_is_refused_and_says_the_present_stock(
    present: object, amount: dict[str, Any], name: str
) -> None:
    with pytest.raises(ArgumentsError) as refused:
        stock_after(present, **amount)
    assert f"the present stock is {present or 0}" in refused.value.details["invalid_fields"][name]
    assert refused.value.details["present_stock"] == present


@pytest.mark.parametrize("present", ["many", "nan", "inf", "1,000", True, [], {}], ids=str)
def test_nothing_is_added_to_what_is_no_number(present: object) -> None:
    with pytest.raises(ArgumentsError) as refused:
        stock_after(present, by=1, to=None)
    assert list(refused.value.details["invalid_fields"]) == ["by"]


@seeded
@given(present=st.integers(0, 10**9), amounts=st.lists(st.integers(-(10**6), 10**6), max_size=20))
def test_adjustments_one_after_another_add_up_or_are_refused(present: int, amounts: list[int]) -> None:
    product: dict[str, Any] = {"stock": str(present)}
    expected = present
    for by in amounts:
        try:
            product |= adjustment(by, None)(product)
        except ArgumentsError:
            assert expected + by < 0
        else:
            expected += by
            assert expected >= 0
        assert int(product["stock"]) == expected

from typing import Any

import pytest

from server.errors import ArgumentsError
from server.orderdesk.new_order import new_order

NOW = "2026-01-02 03:04:05"
ITEMS = [{"name": "Oak Tray", "price": 24.5, "quantity": 2}]
ORDER: dict[str, Any] = {"customer": {"last_name": "Example"}, "order_items": ITEMS}


def refusal(data: dict[str, Any]) -> ArgumentsError:
    with pytest.raises(ArgumentsError) as refused:
        new_order(data, NOW)
    return refused.value


@pytest.mark.parametrize("person", ["customer", "shipping"])
@pytest.mark.parametrize("name", ["first_name", "last_name", "company"])
def test_one_name_of_one_person_is_enough(person: str, name: str) -> None:
    data = {person: {name: "A"}, "order_items": ITEMS}
    assert new_order(data, NOW) == data


@pytest.mark.parametrize("person", [None, {}, [], {"first_name": " "}, {"first_name": None}, {"city": "Leeds"}])
def test_without_any_name_or_item_an_order_is_refused_with_both(person: Any) -> None:
    error = refusal({"customer": person, "order_items": []})
    assert error.details["missing_fields"] == ["order_data.order_items", "order_data.customer.last_name"]
    assert "order_data.order_items is required" in error.message
    assert "or first_name or company, of customer or shipping" in error.message


def test_what_is_null_is_left_out_and_notes_are_dated() -> None:
    order = new_order({**ORDER, "email": None, "order_notes": ["Gift", {"content": "Wrap", "username": "Ada"}]}, NOW)
    assert order == {
        **ORDER,
        "order_notes": [
            {"date_added": NOW, "username": "System", "content": "Gift"},
            {"date_added": NOW, "username": "Ada", "content": "Wrap"},
        ],
    }


def test_the_data_given_is_not_altered() -> None:
    data: dict[str, Any] = {**ORDER, "shipping": {"city": "Leeds", "phone": None}, "order_notes": "Gift"}
    before = {**data, "shipping": dict(data["shipping"])}
    assert new_order(data, NOW)["shipping"] == {"city": "Leeds"}
    assert data == before


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("emial", "a@example.com", "did you mean 'email'"),
        ("order_total", 5, "computed by OrderDesk"),
        ("id", "5", "given by OrderDesk"),
        ("date_added", NOW, "kept by OrderDesk"),
        ("order_shipments", [], "shipments"),
        ("checkout_data", {"a": "x" * 3_500}, "3500 characters"),
        ("order_metadata", {"a": "x" * 2_000}, "2000 characters"),
        ("order_notes", "x" * 2_001, "2000 characters"),
        ("shipping", "1 High Street", "is an object"),
        ("order_items", "Oak Tray", "is a list"),
        ("order_items", [ITEMS], "list of objects"),
        ("source_id", {"a": 1}, "is a text"),
        ("source_name", "x" * 201, "is a text"),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_reason(field: str, value: Any, words: str) -> None:
    error = refusal({**ORDER, field: value})
    assert error.details["missing_fields"] == []
    assert list(error.details["invalid_fields"]) == [f"order_data.{field}"]
    assert words in error.message
    assert "changes" not in error.message


def test_values_at_their_limits_are_taken() -> None:
    data = {**ORDER, "checkout_data": {"a": "x" * 3_492}, "order_metadata": {"a": "x" * 1_992}, "source_id": 1001}
    assert new_order(data, NOW) == data

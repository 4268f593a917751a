import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from server.errors import ArgumentsError
from server.orderdesk import kinds
from server.orderdesk import merge as merge_module
from server.orderdesk.merge import NOTE_LIMIT, alike, differences
from server.orderdesk.merge import merge as merge_by
from server.orderdesk.rules import ANYTHING
from tests.unit.server.parts import seeded

NOW = "2026-11-23 10:00:00"
# How maps merge has nothing to do with their keys' names and values.
RULES = replace(kinds.ORDER.rules, parts={}, free_form=kinds.ORDER.rules.maps)
LIMITS, READ_ONLY_FIELDS, WRITABLE_FIELDS = RULES.limits, RULES.read_only, RULES.writable


def merge(order: dict[str, Any], changes: dict[str, Any], now: str) -> dict[str, Any]:
    return merge_by(RULES, order, changes, now)


ORDER: dict[str, Any] = {
    "id": "100042",
    "email": "customer@example.com",
    "shipping": {"first_name": "Ada", "address1": "1 Main Street", "city": "Leeds", "country": "GB"},
    "customer": {"first_name": "Ada", "phone": "1"},
    "checkout_data": [],
    "order_metadata": {"channel": "web"},
    "order_notes": [{"date_added": "2026-01-01 00:00:00", "username": "System", "content": "Fragile"}],
    "order_items": [{"id": "1", "name": "Mug"}, {"id": "2", "name": "Cup"}],
    "order_shipments": [{"id": 7, "tracking_number": "n/a"}],
    "tag_name": "Priority",
    "order_total": 10.5,
    "date_updated": "2026-01-02 00:00:00",
}

TEXTS = st.text("ab", max_size=3) | st.integers(-5, 5)
SCALARS = st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3)
LISTS = st.lists(SCALARS | st.fixed_dictionaries({"name": SCALARS}), max_size=3)


def maps(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Maps with a map inside; `values` are what stands at their ends."""
    inner = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
    return st.builds(lambda flat, nested: {**flat, **nested}, inner, st.just({}) | st.builds(lambda m: {"m": m}, inner))


def fields(texts: st.SearchStrategy[Any], mapping: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    kinds = {
        "email": texts,
        "shipping": mapping,
        "checkout_data": mapping,
        "order_items": LISTS,
        "discount_list": LISTS,
    }
    return st.fixed_dictionaries({}, optional=kinds)


CONTENTS = st.text("aA b", min_size=1, max_size=4).filter(str.strip)
NOTES = st.lists(
    st.fixed_dictionaries({"content": CONTENTS}, optional={"username": st.sampled_from(["System", "Ada"])}), max_size=4
)
# OrderDesk writes an empty map as [].
ORDERS = st.builds(
    lambda fields, notes: {"id": "1", "order_notes": notes, **fields},
    fields(TEXTS, maps(SCALARS) | st.just([])),
    NOTES,
)
CHANGES = st.builds(
    lambda fields, notes: {**fields, **({} if notes is None else {"order_notes": notes})},
    fields(TEXTS | st.none(), maps(SCALARS | st.none()) | st.none()),
    st.none() | CONTENTS | st.lists(CONTENTS, max_size=3) | NOTES,
).filter(bool)


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_merging_twice_is_merging_once(order: dict[str, Any], changes: dict[str, Any]) -> None:
    once = merge(order, changes, NOW)
    assert merge(once, changes, "2030-01-01 00:00:00") == once


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_neither_argument_is_altered_nor_shared_with_the_result(order: dict[str, Any], changes: dict[str, Any]) -> None:
    before = copy.deepcopy((order, changes))
    merged = merge(order, changes, NOW)
    for name, value in list(merged.items()):
        if isinstance(value, list):
            value.append("spoiled")
        elif isinstance(value, dict):
            value["spoiled"] = True
        merged[name] = "spoiled"
    assert (order, changes) == before


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_what_is_not_named_never_changes(order: dict[str, Any], changes: dict[str, Any]) -> None:
    merged = merge(order, changes, NOW)
    for name, value in order.items():
        if name not in changes:
            assert merged[name] == value
        elif isinstance(value, dict) and isinstance(changes[name], dict):
            kept = {key: item for key, item in value.items() if key not in changes[name]}
            assert kept.items() <= merged[name].items()
    assert set(merged) <= set(order) | set(changes)


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_what_is_named_is_as_told_and_null_is_gone(order: dict[str, Any], changes: dict[str, Any]) -> None:
    merged = merge(order, changes, NOW)

    def shows(target: Any, change: Any) -> bool:
        if not isinstance(change, dict):
            return bool(target == change)
        found = target or {}
        return isinstance(found, dict) and all(
            key not in found if item is None else key in found and shows(found[key], item)
            for key, item in change.items()
        )

    for name, change in changes.items():
        if name != "order_notes":
            assert name not in merged if change is None else shows(merged[name], change)


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_notes_are_only_ever_added_and_each_content_once(order: dict[str, Any], changes: dict[str, Any]) -> None:
    assume("order_notes" in changes)
    merged = merge(order, changes, NOW)["order_notes"]
    assert merged[: len(order["order_notes"])] == order["order_notes"]
    given_notes = changes["order_notes"]
    asked = given_notes if isinstance(given_notes, list) else [given_notes]
    contents = [(note["content"] if isinstance(note, dict) else note).strip().casefold() for note in asked]
    present = [str(note["content"]).strip().casefold() for note in merged]
    assert set(contents) <= set(present)
    added = present[len(order["order_notes"]) :]
    assert len(set(added)) == len(added)
    assert not set(added) & set(present[: len(order["order_notes"])])


@seeded
@given(order=ORDERS, changes=CHANGES)
def test_the_differences_lead_from_the_order_to_what_it_becomes(order: dict[str, Any], changes: dict[str, Any]) -> None:
    merged = merge(order, changes, NOW)
    lines = differences("Order 1", order, merged)
    assert all(line["before"] != line["after"] for line in lines)
    assert {line["field"].partition(".")[0] for line in lines} <= set(changes)
    assert differences("Order 1", merged, merged) == []


def test_a_new_city_leaves_the_rest_of_the_address() -> None:
    merged = merge(ORDER, {"shipping": {"city": "York"}}, NOW)
    assert merged["shipping"] == {**ORDER["shipping"], "city": "York"}
    assert {**merged, "shipping": ORDER["shipping"]} == ORDER


def test_null_removes_a_key_at_any_depth() -> None:
    merged = merge(ORDER, {"email": None, "customer": {"phone": None}, "order_metadata": {"absent": None}}, NOW)
    assert "email" not in merged
    assert merged["customer"] == {"first_name": "Ada"}
    assert merged["order_metadata"] == {"channel": "web"}


def test_an_empty_map_that_orderdesk_sent_as_a_list_takes_keys() -> None:
    assert merge(ORDER, {"checkout_data": {"gift": "yes"}}, NOW)["checkout_data"] == {"gift": "yes"}


def test_a_change_that_leaves_a_map_empty_makes_no_difference_to_orderdesk_s_empty_list() -> None:
    assert merge(ORDER, {"checkout_data": {"gift": None}}, NOW) == ORDER


def test_lists_other_than_notes_are_replaced() -> None:
    assert merge(ORDER, {"order_items": [{"name": "Jug"}]}, NOW)["order_items"] == [{"name": "Jug"}]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"order_items": {"name": "Jug"}}, id="a map for a list"),
        pytest.param({"order_items": "Jug"}, id="a text for a list"),
        pytest.param({"shipping": "York"}, id="a text for a map"),
        pytest.param({"shipping": ["York"]}, id="a list for a map"),
    ],
)
def test_a_value_that_would_wipe_out_a_whole_part_by_its_kind_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ArgumentsError):
        merge(ORDER, changes, NOW)


@pytest.mark.parametrize(
    "notes", ["Call first", ["Call first"], {"content": "Call first"}, [{"content": "Call first"}]]
)
def test_a_note_in_any_form_is_appended_by_system_and_dated_now(notes: Any) -> None:
    merged = merge(ORDER, {"order_notes": notes}, NOW)["order_notes"]
    assert merged == [*ORDER["order_notes"], {"date_added": NOW, "username": "System", "content": "Call first"}]


def test_a_note_may_name_its_author_and_date() -> None:
    note = {"content": "Call first", "username": "Ada", "date_added": "2026-05-05 00:00:00"}
    assert merge(ORDER, {"order_notes": [note]}, NOW)["order_notes"][-1] == note


@pytest.mark.parametrize("content", ["Fragile", " fragile ", "FRAGILE\n"])
def test_a_note_that_is_there_already_is_not_added_again(content: str) -> None:
    assert merge(ORDER, {"order_notes": [content]}, NOW) == ORDER


def test_notes_of_one_request_are_compared_with_each_other() -> None:
    merged = merge(ORDER, {"order_notes": ["New", "new ", {"content": "NEW"}, "Other"]}, NOW)["order_notes"]
    assert [note["content"] for note in merged] == ["Fragile", "New", "Other"]


def test_notes_join_an_order_that_has_none() -> None:
    absents: list[dict[str, Any]] = [{}, {"order_notes": []}, {"order_notes": None}]
    for absent in absents:
        merged = merge({"id": "1", **absent}, {"order_notes": "First"}, NOW)
        assert [note["content"] for note in merged["order_notes"]] == ["First"]


@pytest.mark.parametrize("notes", [None, 5, "", "  ", [None], [""], [{}], [{"content": None}], [{"content": 5}], [[]]])
def test_what_is_no_note_is_refused(notes: Any) -> None:
    with pytest.raises(ArgumentsError) as refused:
        merge(ORDER, {"order_notes": notes}, NOW)
    assert list(refused.value.details["invalid_fields"]) == ["changes.order_notes"]


@pytest.mark.parametrize("name", sorted(READ_ONLY_FIELDS))
def test_a_read_only_field_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(ArgumentsError) as refused:
        merge(ORDER, {name: "x", "email": "new@example.com"}, NOW)
    assert refused.value.details["invalid_fields"] == {f"changes.{name}": READ_ONLY_FIELDS[name]}


def test_the_read_only_fields_are_those_of_orderdesk() -> None:
    totals = {"quantity_total", "weight_total", "product_total", "discount_total", "order_total"}
    assert set(READ_ONLY_FIELDS) == totals | {"id", "date_added", "date_updated", "order_shipments", "folder_id"} | {
        "email_count"
    }
    assert not WRITABLE_FIELDS & set(READ_ONLY_FIELDS)


def test_an_unknown_field_is_refused_with_the_nearest_known_one() -> None:
    with pytest.raises(ArgumentsError, match="did you mean 'shipping_method'") as refused:
        merge(ORDER, {"shiping_method": "Air"}, NOW)
    assert "changes.shiping_method" in refused.value.details["invalid_fields"]


def test_a_field_that_the_order_has_may_be_changed_though_no_list_names_it() -> None:
    assert merge(ORDER, {"tag_name": "Low"}, NOW)["tag_name"] == "Low"


def test_nothing_to_change_is_refused() -> None:
    with pytest.raises(ArgumentsError):
        merge(ORDER, {}, NOW)


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_a_value_may_reach_its_limit_and_not_exceed_it(name: str) -> None:
    frame = len('{"k":""}')
    fits = {name: {"k": "ü" * (LIMITS[name] - frame)}}
    assert merge({"id": "1"}, fits, NOW)[name] == fits[name]
    with pytest.raises(ArgumentsError, match=str(LIMITS[name])):
        merge({"id": "1"}, {name: {"k": "x" * (LIMITS[name] - frame + 1)}}, NOW)


def test_a_limit_counts_what_is_there_already() -> None:
    order = {"id": "1", "order_metadata": {"old": "x" * 1_900}}
    with pytest.raises(ArgumentsError, match="order_metadata"):
        merge(order, {"order_metadata": {"new": "x" * 200}}, NOW)


def test_a_note_holds_at_most_2000_characters() -> None:
    merge(ORDER, {"order_notes": "x" * NOTE_LIMIT}, NOW)
    with pytest.raises(ArgumentsError, match="2000"):
        merge(ORDER, {"order_notes": "x" * (NOTE_LIMIT + 1)}, NOW)


def test_an_order_that_exceeds_a_limit_already_may_be_changed_elsewhere() -> None:
    order = {"id": "1", "email": "a", "order_metadata": {"old": "x" * 3_000}}
    assert merge(order, {"email": "b"}, NOW)["email"] == "b"


@pytest.mark.parametrize(
    ("one", "other"),
    [("5", 5), ("5.00", 5.0), ("-0.50", -0.5), ("", None), ([], {}), ("", {"a": None}), ([{"n": "1.0"}], [{"n": 1}])],
    ids=str,
)
def test_a_value_is_known_in_orderdesks_spelling(one: object, other: object) -> None:
    assert alike(one, other)
    assert alike(other, one)
    assert merge_module.shows(ANYTHING, {"f": one}, {"f": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("01234", "1234"),
        ("1E3", "1000"),
        ("1_0", "10"),
        (" 5", "5"),
        ("+5", "5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("\u0665", "5"),
        ("Infinity", "inf"),
        ("5\n", "5"),
    ],
    ids=repr,
)
def test_a_code_is_no_number(one: str, other: str) -> None:
    assert not alike(one, other)
    assert not merge_module.shows(ANYTHING, {"f": one}, {"f": other})


@pytest.mark.parametrize(
    ("less", "more"),
    [({"a": 1}, {"a": 1, "b": 2}), ([], {"a": 1}), ("", {"a": 1}), ([1], [1, 2]), ([{"a": 1}], [{"a": 1, "b": 2}])],
    ids=str,
)
def test_what_holds_more_is_not_alike(less: object, more: object) -> None:
    assert not alike(less, more)
    assert not alike(more, less)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        (
            {"shipping": {"citty": "Leeds"}},
            {"changes.shipping.citty": "is no field of an address; did you mean 'city'?"},
        ),
        ({"customer": {"bogus": 1}}, {"changes.customer.bogus": "is no field of an address"}),
        ({"folder_id": 5}, {"changes.folder_id": "is changed with orders_move, which runs the folder's rules"}),
    ],
    ids=str,
)
def test_what_orderdesk_would_drop_without_a_word_is_refused(changes: dict[str, Any], refused: dict[str, str]) -> None:
    with pytest.raises(ArgumentsError) as error:
        merge_by(kinds.ORDER.rules, ORDER, changes, NOW)
    assert error.value.details["invalid_fields"] == refused


def test_a_field_of_an_address_that_an_order_has_already_may_be_written() -> None:
    order = {**ORDER, "shipping": {**ORDER["shipping"], "building": "A"}}
    assert merge_by(kinds.ORDER.rules, order, {"shipping": {"building": "B"}}, NOW)["shipping"]["building"] == "B"

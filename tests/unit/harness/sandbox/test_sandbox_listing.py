"""List calls, compared with what a plain search through every order finds."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.harness.sandbox.desk import Desk, JsonObject

ORDERS = 120
PEOPLE_PARTS = ("first_name", "last_name", "company", "address1", "phone")


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(orders=ORDERS)


@pytest.fixture(scope="module")
def everything(desk: Desk) -> list[JsonObject]:
    """Every order, newest first."""
    return [desk.order(desk.first_id + number) for number in reversed(range(ORDERS))]


def ids(orders: list[JsonObject]) -> list[int]:
    return [int(order["id"]) for order in orders]


def listed(desk: Desk, **asked: Any) -> list[JsonObject]:
    found: list[JsonObject] = desk.ok("GET", "/orders", params={"limit": 500, **asked})["orders"]
    return found


def test_a_list_says_how_much_there_is_and_what_it_returned(desk: Desk) -> None:
    answer = desk.ok("GET", "/orders", params={"limit": 7, "offset": 115})
    assert answer["message"].startswith("Execution took")
    assert {name: answer[name] for name in ("total_records", "records_returned", "offset", "limit")} == {
        "total_records": ORDERS,
        "records_returned": 5,
        "offset": 115,
        "limit": 7,
    }


def test_the_newest_fifty_come_first_by_default(desk: Desk, everything: list[JsonObject]) -> None:
    answer = desk.ok("GET", "/orders")
    assert answer["limit"] == 50
    assert answer["orders"] == everything[:50]


def test_an_order_in_a_list_is_whole(desk: Desk) -> None:
    assert listed(desk)[3] == desk.order(listed(desk)[3]["id"])


@pytest.mark.parametrize(
    ("sent", "used"), [("500", 500), ("501", 500), ("100000", 500), ("0", 50), ("-3", 50), ("x", 50)]
)
def test_a_page_has_at_most_five_hundred(desk: Desk, sent: str, used: int) -> None:
    assert desk.ok("GET", "/orders", params={"limit": sent})["limit"] == used


@pytest.mark.parametrize("field", ["email", "source_id", "source_name", "customer_id"])
def test_orders_are_found_by_a_field(desk: Desk, everything: list[JsonObject], field: str) -> None:
    value = everything[17][field]
    assert listed(desk, **{field: value}) == [order for order in everything if order[field] == value]
    assert listed(desk, **{field: "nothing has this"}) == []


@pytest.mark.parametrize("person", ["customer", "shipping"])
@pytest.mark.parametrize("part", PEOPLE_PARTS)
def test_orders_are_found_by_part_of_a_person(desk: Desk, everything: list[JsonObject], person: str, part: str) -> None:
    value = next(order[person][part] for order in everything if order[person][part])
    expected = [order for order in everything if order[person][part] == value]
    assert listed(desk, **{f"{person}_{part}": value}) == expected


def test_the_case_of_letters_does_not_matter(desk: Desk, everything: list[JsonObject]) -> None:
    assert ids(listed(desk, email=everything[3]["email"].upper())) == ids(listed(desk, email=everything[3]["email"]))


def test_orders_are_found_by_one_or_several_folders(desk: Desk, everything: list[JsonObject]) -> None:
    one, other = sorted({order["folder_id"] for order in everything})[:2]
    assert listed(desk, folder_id=one) == [order for order in everything if order["folder_id"] == one]
    both = listed(desk, folder_id=f"{one}, {other}")
    assert both == [order for order in everything if order["folder_id"] in {one, other}]


def test_orders_are_found_by_the_name_of_a_folder(desk: Desk, everything: list[JsonObject]) -> None:
    folders: dict[str, str] = desk.ok("GET", "/store")["store"]["folders"]
    for number, name in folders.items():
        expected = [order for order in everything if str(order["folder_id"]) == number]
        assert listed(desk, folder_name=name) == expected
    assert listed(desk, folder_name="No Such Folder") == []


@pytest.mark.parametrize(("prefix", "field"), [("search", "date_added"), ("modified", "date_updated")])
def test_orders_are_found_by_date_bounds_included(
    desk: Desk, everything: list[JsonObject], prefix: str, field: str
) -> None:
    low, high = everything[80][field], everything[40][field]
    low, high = min(low, high), max(low, high)
    within = [order for order in everything if low <= order[field] <= high]
    assert listed(desk, **{f"{prefix}_start_date": low, f"{prefix}_end_date": high}) == within
    assert listed(desk, **{f"{prefix}_start_date": low}) == [order for order in everything if order[field] >= low]
    assert listed(desk, **{f"{prefix}_end_date": high}) == [order for order in everything if order[field] <= high]


def test_a_bare_date_is_its_midnight_and_an_offset_is_converted(desk: Desk, everything: list[JsonObject]) -> None:
    date = everything[60]["date_added"][:10]
    midnight = [order for order in everything if order["date_added"] >= f"{date} 00:00:00"]
    assert listed(desk, search_start_date=date) == midnight
    assert listed(desk, search_start_date=f"{date}T02:00:00+02:00") == midnight


@pytest.mark.parametrize("wrong", ["soon", "2026-13-01", "2026-02-30 10:00:00"])
def test_a_date_that_is_none_is_an_error_inside_200(desk: Desk, wrong: str) -> None:
    assert wrong in desk.refused("GET", f"/orders?modified_end_date={wrong}")


def test_filters_narrow_each_other(desk: Desk, everything: list[JsonObject]) -> None:
    order = everything[10]
    found = listed(desk, source_name=order["source_name"], folder_id=order["folder_id"])
    assert found == [
        other
        for other in everything
        if (other["source_name"], other["folder_id"]) == (order["source_name"], order["folder_id"])
    ]


def test_blank_and_unknown_parameters_are_ignored(desk: Desk) -> None:
    assert len(listed(desk, email="", status="open", search="x")) == ORDERS


SORT_KEYS: dict[str, Callable[[JsonObject], Any]] = {
    "id": lambda order: int(order["id"]),
    "date_added": lambda order: order["date_added"],
    "date_updated": lambda order: order["date_updated"],
    "source_name": lambda order: order["source_name"].casefold(),
    "order_total": lambda order: order["order_total"],
    "quantity_total": lambda order: order["quantity_total"],
}


@pytest.mark.parametrize("field", SORT_KEYS)
def test_a_list_is_sorted_both_ways_with_ties_by_id(desk: Desk, everything: list[JsonObject], field: str) -> None:
    oldest_first = everything[::-1]
    ascending = sorted(oldest_first, key=SORT_KEYS[field])
    assert ids(listed(desk, order_by=field, order="ASC")) == ids(ascending)
    assert ids(listed(desk, order_by=field, order="desc")) == ids(ascending)[::-1]
    assert ids(listed(desk, order_by=field)) == ids(ascending)[::-1]


def test_an_unknown_order_by_is_an_error_inside_200(desk: Desk) -> None:
    assert "shipping" in desk.refused("GET", "/orders?order_by=shipping")


def test_history_comes_only_when_asked_for(desk: Desk) -> None:
    plain = desk.ok("GET", "/orders?limit=3")["orders"]
    with_history = desk.ok("GET", "/orders?limit=3&get_order_history=1")["orders"]
    assert all("order_history" not in order for order in plain)
    assert [order.pop("order_history")[0]["note"][:14] for order in with_history] == ["Order imported"] * 3
    assert with_history == plain


FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "source_name": st.sampled_from(["Shopify", "etsy", "Amazon"]),
        "folder_name": st.sampled_from(["New", "Closed", "nowhere"]),
        "search_start_date": st.sampled_from(["2025-07-01", "2026-02-01"]),
        "modified_end_date": st.sampled_from(["2025-12-31", "2026-09-01 12:00:00"]),
        "order_by": st.sampled_from([*SORT_KEYS, "folder_id", "email", "payment_status"]),
        "order": st.sampled_from(["ASC", "DESC"]),
    },
)


@settings(max_examples=60, deadline=None)
@given(filters=FILTERS, limit=st.integers(1, 60))
def test_pages_one_after_another_are_the_whole_list(desk: Desk, filters: dict[str, str], limit: int) -> None:
    whole = desk.ok("GET", "/orders", params={**filters, "limit": 500})
    paged: list[JsonObject] = []
    while True:
        page = desk.ok("GET", "/orders", params={**filters, "limit": limit, "offset": len(paged)})
        assert page["total_records"] == whole["total_records"] == len(whole["orders"])
        assert page["records_returned"] == len(page["orders"]) <= limit
        if not page["orders"]:
            break
        paged += page["orders"]
    assert paged == whole["orders"]


class TestAfterChanges:
    """The index follows what is written, whether a column was built before or after."""

    @pytest.mark.parametrize("warm", [True, False])
    def test_a_changed_order_is_found_by_its_new_values_only(self, warm: bool) -> None:  # noqa: FBT001
        desk = Desk()
        order = desk.order(desk.first_id + 4)
        if warm:
            assert len(listed(desk, email=order["email"])) >= 1
            listed(desk, order_by="order_total")
        desk.ok("PUT", f"/orders/{order['id']}", {**order, "email": "new@example.com", "shipping_total": 1e6})
        assert ids(listed(desk, email="new@example.com")) == ids([order])
        assert order["id"] not in [found["id"] for found in listed(desk, email=order["email"])]
        assert ids(listed(desk, order_by="order_total"))[0] == int(order["id"])
        assert ids(listed(desk, order_by="date_updated"))[0] == int(order["id"])

    @pytest.mark.parametrize("warm", [True, False])
    def test_deleted_and_created_orders_leave_and_join_every_list(self, warm: bool) -> None:  # noqa: FBT001
        desk = Desk()
        if warm:
            listed(desk, source_name="Shopify", order_by="email")
        deleted = desk.order(desk.first_id + 6)
        desk.ok("DELETE", f"/orders/{deleted['id']}")
        created = desk.ok("POST", "/orders", {**deleted, "source_name": "Shopify", "source_id": "again"})["order"]
        assert int(created["id"]) not in {desk.first_id + number for number in range(20)}
        everything = listed(desk)
        assert len(everything) == 20
        assert everything[0] == created
        assert deleted["id"] not in [order["id"] for order in everything]
        expected = [order for order in everything if order["source_name"] == "Shopify"]
        assert sorted(ids(listed(desk, source_name="Shopify", order_by="email"))) == sorted(ids(expected))

    def test_an_order_created_by_a_clock_that_is_behind_is_sorted_by_its_date(self) -> None:
        desk = Desk()
        desk.time.wall = 0
        body = {"order_items": [{"name": "x"}], "customer": {"company": "y"}}
        created = desk.ok("POST", "/orders", body)["order"]
        assert created["date_added"] < "1970-01-02"
        assert ids(listed(desk))[-1] == int(created["id"])
        assert ids(listed(desk, order_by="id"))[0] == int(created["id"])

"""Fields that are emptied: what shows that they were, what does not, and what is not sent at all."""

from typing import Any

import pytest

from server.errors import ArgumentsError, ConflictError, WriteUncertainError
from server.orderdesk.admission import NOTES
from server.orderdesk.change import Change
from server.orderdesk.kinds import ITEM, ORDER, PRODUCT, SHIPMENT, Kind, Reference
from server.orderdesk.merge import merge, same, shows
from server.orderdesk.restore import Restore
from server.orderdesk.rules import Rules
from tests.unit.server.orderdesk.seats import FakeSeat

Record = dict[str, Any]
NOW = "2026-11-23 10:00:00"
RULES = ORDER.rules
KINDS = (ORDER, ITEM, SHIPMENT, PRODUCT)


def full(rules: Rules, name: str) -> Any:
    """What a field may hold, down to what a spelling could hide: a text's zero is a value."""
    if name in rules.maps:
        parts = rules.parts.get(name)
        return {part: full(parts, part) for part in parts.writable} if parts else {"key": ""}
    return [{"name": "Mug"}] if name in rules.lists else 3 if name in rules.numbers else "0"


def emptied(rules: Rules, name: str) -> Any:
    """What OrderDesk shows where it was emptied."""
    if name in rules.parts and name in rules.maps:
        return dict.fromkeys(rules.parts[name].writable, "")
    if name in rules.maps | rules.lists:
        return []
    return rules.defaults.get(name, "0.00" if name in rules.numbers else "")


def fields() -> list[Any]:
    return [
        pytest.param(kind, name, id=f"{kind.title}-{name}")
        for kind in KINDS
        for name in sorted(kind.rules.writable - {NOTES})
    ]


async def attempt(kind: Kind, before: Record, changes: Record, after: Record) -> tuple[FakeSeat, Record]:
    seat = FakeSeat({"1": before}, lambda _body: {kind.member: after})
    change = Change(seat.seat, Reference(kind, ("1",)), lambda _now: changes)
    plan = await change.plan()
    return seat, plan.unchanged or await change.apply(plan, seat.revise)


@pytest.mark.parametrize(("kind", "name"), fields())
async def test_null_is_shown_by_nothing_and_not_by_what_was_there(kind: Kind, name: str) -> None:
    before = {"id": "1", name: full(kind.rules, name)}
    if name in kind.rules.needed:
        with pytest.raises(ArgumentsError):
            await attempt(kind, before, {name: None}, before)
        return
    for after in ({"id": "1"}, {"id": "1", name: emptied(kind.rules, name)}):
        seat, result = await attempt(kind, before, {name: None}, after)
        assert "updated" in result["message"]
        assert len(seat.written) == 1
        assert "nothing was written" in (await attempt(kind, after, {name: None}, after))[1]["message"]
    with pytest.raises(WriteUncertainError):
        await attempt(kind, before, {name: None}, before)


@pytest.mark.parametrize(("kind", "name"), fields())
async def test_a_revert_puts_back_what_was_emptied(kind: Kind, name: str) -> None:
    before, now = {"id": "1", name: full(kind.rules, name)}, {"id": "1", name: emptied(kind.rules, name)}
    if name == "order_items":
        before[name] = []
    seat = FakeSeat({"1": now}, lambda body: {kind.member: body})
    operation = Restore(
        seat.seat, Reference(kind, ("1",)), lambda _now: {}, before=before, after={"id": "1"}, shown=now
    )
    plan = await operation.plan()
    assert plan.after == before or plan.unchanged
    await operation.apply(plan, seat.revise)
    seat.answer = lambda _body: {kind.member: now}
    seat.orders["1"] = now
    if plan.unchanged is None:
        with pytest.raises(WriteUncertainError):
            await operation.apply(plan, seat.revise)


async def test_a_revert_does_not_empty_what_is_needed() -> None:
    seat = FakeSeat({"1": {"id": "1", "source_id": "W-1"}})
    before, after = {"id": "1", "source_id": ""}, {"id": "1", "source_id": "W-1"}
    operation = Restore(seat.seat, Reference(ORDER, ("1",)), lambda _now: {}, before=before, after=after)
    with pytest.raises(ConflictError, match="source_id cannot be emptied"):
        await operation.plan()


@pytest.mark.parametrize("zero", [0, 0.0, "0", "0.00", "-0.0", "", None, False, [], {}], ids=repr)
def test_a_number_is_nothing_at_zero_in_any_spelling(zero: object) -> None:
    assert RULES.is_nothing("tax_total", zero)
    assert RULES.is_nothing("unheard_of", zero)
    assert RULES.is_nothing("unheard_of", {"a": zero, "b": {"c": zero}})
    assert same(RULES, {}, {"tax_total": zero})


@pytest.mark.parametrize("value", [0.01, "0.01", "00", "0 ", True, "-", [0], {"a": 1}], ids=repr)
def test_what_is_not_zero_is_something(value: object) -> None:
    assert not RULES.is_nothing("tax_total", value)
    assert not same(RULES, {}, {"tax_total": value})


def test_zero_that_is_asked_for_is_written_where_nothing_is_known() -> None:
    assert not same(PRODUCT.rules, {"stock": 0}, {"stock": ""})
    assert not shows(PRODUCT.rules, {"stock": ""}, {"stock": 0})


@pytest.mark.parametrize("left", ["", 0, False, [], "yes"], ids=repr)
def test_a_key_of_a_free_form_map_is_removed_when_it_is_absent(left: object) -> None:
    change = {"order_metadata": {"gift": None}}
    assert shows(RULES, {"order_metadata": []}, change)
    assert shows(RULES, {"order_metadata": {"other": "1"}}, change)
    assert not shows(RULES, {"order_metadata": {"gift": left}}, change)


@pytest.mark.parametrize(
    ("wanted", "held", "shown"),
    [
        ("", {}, False),
        ("", {"gift": ""}, True),
        ("", {"gift": None}, True),
        ({}, {}, False),
        ({}, {"gift": []}, True),
        ({}, {"gift": {"a": "1"}}, True),
        ({}, {"gift": "yes"}, False),
        ([], {}, False),
        ({"a": ""}, {"gift": {}}, False),
        ({"a": {}}, {"gift": {"b": "1"}}, False),
        ({"a": None}, {}, True),
        ({"a": None, "b": "1"}, {"gift": {"b": "1"}}, True),
    ],
)
def test_a_blank_in_a_free_form_map_is_shown_by_its_key_and_not_by_nothing(
    wanted: object, held: Record, *, shown: bool
) -> None:
    assert shows(RULES, {"order_metadata": held}, {"order_metadata": {"gift": wanted}}) is shown


@pytest.mark.parametrize("blank", ["", {}], ids=repr)
async def test_a_blank_that_never_arrived_in_a_free_form_map_is_not_found(blank: object) -> None:
    seat = FakeSeat({"1": {"id": "1", "order_metadata": {"channel": "web"}}})
    change = Change(seat.seat, Reference(ORDER, ("1",)), lambda _now: {"order_metadata": {"gift": blank}})
    plan = await change.plan()
    assert plan.unchanged is None
    assert await change.look_up(plan) is None


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        ({"metadata": []}, True),
        ({"metadata": {"a": "1"}}, False),
        ({"metadata": [], "weight": 0.0}, True),
        ({"metadata": [], "price": "0"}, False),
        ({"metadata": [], "date_updated": NOW}, True),
    ],
)
def test_an_entry_of_a_list_shows_what_was_emptied_in_it(held: Record, *, shown: bool) -> None:
    item = {"id": "7", "price": 2, "weight": None, "metadata": {}, "delivery_type": "", "date_updated": "before"}
    found = {"id": 7, "price": "2.00", "delivery_type": "ship", **held}
    assert shows(RULES, {"order_items": [found]}, {"order_items": [item]}) is shown


@pytest.mark.parametrize(
    "value",
    ["05", " 5", "+5", "1e3", "a lot", True, float("inf"), "0.12345678901234567890", 2**53 + 1, {}, [1]],
    ids=repr,
)
def test_a_number_that_could_not_be_known_again_is_refused(value: object) -> None:
    with pytest.raises(ArgumentsError, match="is a number"):
        merge(RULES, {"id": "1", "tax_total": 1}, {"tax_total": value}, NOW)


@pytest.mark.parametrize("value", [True, 1e-7, {"a": 1}, ["a"]], ids=repr)
def test_what_is_no_text_is_refused_where_one_belongs(value: object) -> None:
    for changes in ({"email": value}, {"shipping": {"city": value}}, {"order_items": [{"name": value}]}):
        with pytest.raises(ArgumentsError, match="is a text"):
            merge(RULES, {"id": "1", "email": ""}, changes, NOW)


def test_what_a_field_holds_already_is_never_refused() -> None:
    order: Record = {"id": "1", "tax_total": " 5", "order_items": [{"id": "7", "price": "a lot", "extra": True}]}
    assert merge(RULES, order, {name: order[name] for name in ("tax_total", "order_items")}, NOW) == order


@pytest.mark.parametrize(
    ("items", "refused"),
    [
        ([{"id": "7", "extra": 1}], "order_items.0.extra"),
        ([{"name": "A"}, {"quantitty": 1}], "order_items.1.quantitty"),
        ([{"id": "8"}], "order_items.0.id"),
        ([{"id": ""}], "order_items.0.id"),
        ([{"id": "7"}, {"id": 7}], "order_items.1.id"),
        ([{"id": "7", "date_added": NOW}], "order_items.0.date_added"),
        ([{"id": "7", "metadata": "x"}], "order_items.0.metadata"),
        ([{"id": "7", "price": "x"}], "order_items.0.price"),
        (["A"], "order_items"),
    ],
    ids=str,
)
def test_an_entry_that_orderdesk_would_not_keep_as_it_is_is_refused(items: list[Any], refused: str) -> None:
    order = {"id": "1", "order_items": [{"id": "7", "name": "Mug", "date_added": "2026-01-01 00:00:00"}]}
    with pytest.raises(ArgumentsError) as error:
        merge(RULES, order, {"order_items": items}, NOW)
    assert list(error.value.details["invalid_fields"]) == [f"changes.{refused}"]


def test_an_entry_may_write_what_an_entry_there_has_though_no_list_names_it() -> None:
    order = {"id": "1", "order_items": [{"id": "7", "is_held": True, "metadata": []}]}
    items = [{"id": 7, "is_held": False, "metadata": []}, {"name": "Cup", "is_held": True, "metadata": []}]
    assert merge(RULES, order, {"order_items": items}, NOW)["order_items"] == items


@pytest.mark.parametrize(
    "change", [{"tag_name": "1.0"}, {"shipping": {"phone": "1.0"}}, {"order_metadata": {"v": "1.0"}}]
)
def test_a_text_is_not_shown_by_another_that_reads_as_the_same_number(change: Record) -> None:
    shown = {"tag_name": "1", "shipping": {"phone": "1"}, "order_metadata": {"v": "1"}}
    assert not shows(RULES, shown, change)
    assert shows(RULES, {"tax_total": "1"}, {"tax_total": "1.0"})
    assert shows(RULES, {"tag_name": "7"}, {"tag_name": 7})


@pytest.mark.parametrize("name", ["tag_name", "shipping", "order_metadata"])
async def test_such_a_text_is_had_back(name: str) -> None:
    def order(text: str) -> Record:
        return {"id": "1", name: text if name == "tag_name" else {"phone": text}}

    seat = FakeSeat({"1": order("1.0")}, lambda _body: {"order": order("1.0")})
    operation = Restore(
        seat.seat, Reference(ORDER, ("1",)), lambda _now: {}, before=order("1"), after=order("1.0"), shown=order("1.0")
    )
    plan = await operation.plan()
    assert plan.after == order("1")
    with pytest.raises(WriteUncertainError):
        await operation.apply(plan, seat.revise)

from typing import Any

import pytest

from server.errors import ConflictError, WriteUncertainError
from server.orderdesk.batch_products import UpdateProducts
from server.orderdesk.change import Change
from server.orderdesk.kinds import ORDER, Reference
from server.orderdesk.restore import Restore
from tests.unit.server.orderdesk.seats import FakeSeat

Order = dict[str, Any]


def restore(seat: FakeSeat, before: Order, after: Order, shown: Order | None = None) -> Restore:
    return Restore(
        seat.seat, Reference(ORDER, ("1",)), lambda _order: {}, before=before, after=after, shown=shown or after
    )


async def restored(before: Order, after: Order, now: Order, shown: Order | None = None) -> Order:
    plan = await restore(FakeSeat({"1": now}), before, after, shown).plan()
    result: Order = plan.after
    return result


async def refused(before: Order, after: Order, now: Order, shown: Order | None = None) -> list[str]:
    with pytest.raises(ConflictError) as conflict:
        await restored(before, after, now, shown)
    fields: list[str] = conflict.value.details["fields"]
    return fields


def metadata(value: Any) -> Order:
    return {"id": "1", "order_metadata": value}


@pytest.mark.parametrize(
    ("before", "after", "now", "then"),
    [
        pytest.param({"a": "1", "b": "2"}, {"a": "1"}, {"a": "1"}, {"a": "1", "b": "2"}, id="a key was removed"),
        pytest.param({"gift": "yes"}, {}, [], {"gift": "yes"}, id="the only key was removed"),
        pytest.param({"gift": "yes"}, {}, {"w": "1"}, {"gift": "yes", "w": "1"}, id="removed, another added since"),
        pytest.param([], {"gift": "yes"}, {"gift": "yes", "w": "1"}, {"w": "1"}, id="added to nothing, another since"),
        pytest.param([], {"gift": "yes"}, {"gift": "yes"}, [], id="added to nothing"),
        pytest.param({"a": ""}, {}, [], {"a": ""}, id="a blank was removed"),
        pytest.param({"m": {"a": 1}}, {"m": {"a": 2}}, {"m": {"a": 2, "w": 3}}, {"m": {"a": 1, "w": 3}}, id="deeper"),
        pytest.param([], {"a": {}}, {"a": []}, [], id="an empty map was added to nothing"),
        pytest.param({"b": 1}, {"b": 1, "a": {"x": {}}}, {"b": 1, "a": {"x": []}}, {"b": 1}, id="an empty map, deeper"),
        pytest.param({"a": {}}, {}, [], {"a": {}}, id="an empty map was removed"),
        pytest.param({"code": "01234"}, {"code": "1234"}, {"code": "1234"}, {"code": "01234"}, id="a leading zero"),
    ],
)
async def test_what_the_write_changed_in_a_map_is_restored_and_the_rest_stays(
    before: Any, after: Any, now: Any, then: Any
) -> None:
    assert await restored(metadata(before), metadata(after), metadata(now)) == metadata(then)


@pytest.mark.parametrize(
    ("before", "after", "now", "field"),
    [
        ({"a": "1"}, {"a": "2"}, {"a": "3"}, "order_metadata.a was changed since"),
        ({"a": "1"}, {"a": "1000"}, {"a": "1E3"}, "order_metadata.a was changed since"),
        ({"a": "1"}, {}, {"a": "3"}, "order_metadata.a was changed since"),
        ({"a": "1"}, {"a": {"b": "1"}}, {"a": {"b": "1", "w": "2"}}, "order_metadata.a was changed since"),
    ],
)
async def test_what_somebody_changed_since_is_named(before: Any, after: Any, now: Any, field: str) -> None:
    assert await refused(metadata(before), metadata(after), metadata(now)) == [field]


def items(**fields: Any) -> Order:
    return {"id": "1", "order_items": [{"id": "7", "name": "Mug", "quantity": 2, "metadata": [], **fields}]}


async def test_a_list_is_restored_where_it_is_as_the_write_left_it_and_else_refused() -> None:
    written = items(quantity=9, metadata={"a": "1"})
    assert await restored(items(), written, items(quantity="9.00", metadata={"a": "1"})) == items()
    engraved = items(quantity=9, metadata={"a": "1", "engraved": "yes"})
    assert await refused(items(), written, engraved) == ["order_items was changed since"]


async def test_entries_are_known_by_the_ids_that_orderdesk_gave_them() -> None:
    before = items()
    added = {"name": "Cup", "price": 3, "quantity": 1}
    after = {"id": "1", "order_items": [*before["order_items"], added]}
    filled = {**added, "id": "8", "weight": 0, "delivery_type": "ship", "metadata": [], "is_held": True}
    shown = {"id": "1", "order_items": [*before["order_items"], filled]}
    assert await restored(before, after, shown, shown) == before
    later = {"id": "1", "order_items": [*before["order_items"], {**filled, "metadata": {"engraved": "yes"}}]}
    assert await refused(before, after, later, later) == ["order_items was changed since"]


async def test_a_result_of_a_later_look_up_does_not_take_back_what_others_did_before_it() -> None:
    before = {"id": "1", "email": "a@example.com", "shipping_method": "Post", "order_notes": [], "order_metadata": []}
    after = {**before, "email": "b@example.com"}
    later = {**after, "shipping_method": "Courier", "order_notes": [{"content": "Paid"}], "order_metadata": {"w": "1"}}
    assert await restored(before, after, later, later) == {**later, "email": "a@example.com"}
    noted: Order = {
        **before,
        "order_notes": [{"content": "Ours", "username": "System", "date_added": "2026-01-01 00:00:00"}],
    }
    later = {**noted, "order_notes": [*noted["order_notes"], {"content": "Theirs"}]}
    assert await refused(before, noted, later, later) == ["order_notes was changed since"]
    redated = {**noted, "order_notes": [{**noted["order_notes"][0], "date_added": "2026-01-01 00:00:07"}]}
    assert await restored(before, noted, redated, redated) == before


async def test_an_order_that_is_as_it_was_needs_no_write_and_says_so() -> None:
    before, after = {"id": "1", "email": "a@example.com"}, {"id": "1", "email": "a@example.com", "order_metadata": {}}
    plan = await restore(FakeSeat({"1": before}), before, after).plan()
    assert plan.unchanged is not None
    assert "nothing was written" in plan.unchanged["message"]


async def test_a_revert_that_orderdesk_does_not_show_in_full_is_uncertain() -> None:
    now = metadata({"a": "1"})
    seat = FakeSeat({"1": now}, lambda body: {"order": {**body, "order_metadata": {"a": "1", "b": "2"}}})
    operation = restore(seat, metadata([]), metadata({"a": "1"}))
    with pytest.raises(WriteUncertainError):
        await operation.apply(await operation.plan(), seat.revise)


async def test_a_change_that_somebody_else_made_meanwhile_keeps_their_order_as_its_before_image() -> None:
    seat = FakeSeat({"1": {"id": "1", "email": "a@example.com"}})
    change = Change(seat.seat, Reference(ORDER, ("1",)), lambda _order: {"email": "b@example.com"})
    plan = await change.plan()
    seat.orders["1"] = theirs = {"id": "1", "email": "b@example.com", "order_metadata": {"w": "1"}}
    result = await change.apply(plan, seat.revise)
    assert "nothing was written" in result["message"]
    assert [revised.before for revised in seat.revised] == [theirs]
    assert [revised.after for revised in seat.revised] == [theirs]


async def test_products_that_somebody_else_changed_meanwhile_are_kept_as_their_before_image() -> None:
    seat = FakeSeat({"1": {"id": "1", "location": "A"}})
    update = UpdateProducts(seat.seat, {"1": {"location": "B"}})
    plan = await update.plan()
    seat.orders["1"] = theirs = {"id": "1", "location": "B", "stock": 7}
    assert (await update.apply(plan, seat.revise))["unchanged"] == 1
    assert [revised.before for revised in seat.revised] == [{"1": theirs}]

"""A batch that OrderDesk confirms is believed as far as OrderDesk then shows it."""

from typing import Any

import pytest

from server.errors import ConflictError, UpstreamUnavailableError, WriteUncertainError
from server.orderdesk.batch_products import UpdateProducts
from server.orderdesk.batch_shipments import AddShipments
from server.orderdesk.change import Change
from server.orderdesk.kinds import ORDER, Reference
from server.orderdesk.shipments import AddShipment
from server.writes.operation import Plan
from tests.unit.server.orderdesk.seats import LIMITED, FakeSeat, no_revision

AWAY = UpstreamUnavailableError("away")


def product(number: str, stock: Any = 1) -> dict[str, Any]:
    return {"id": number, "code": f"P-{number}", "stock": stock, "location": "A"}


def updating(desk: FakeSeat, **changes: dict[str, Any]) -> UpdateProducts:
    return UpdateProducts(desk.seat, {name[1:]: change for name, change in changes.items()})


def products_written(kept: dict[str, Any], *statuses: str) -> FakeSeat:
    """Two products; a batch is answered with these statuses, and leaves `kept`."""

    def reply(body: list[dict[str, Any]]) -> dict[str, Any]:
        desk.orders |= kept
        return {"results": [{"id": row["id"], "status": one} for row, one in zip(body, statuses, strict=True)]}

    desk = FakeSeat({"1": product("1"), "2": product("2")}, reply)
    return desk


async def test_products_that_show_their_changes_are_updated_and_the_refused_are_not_looked_at() -> None:
    desk = products_written({"1": product("1", "5.00"), "2": AWAY}, "success", "error")
    operation = updating(desk, _1={"stock": 5}, _2={"stock": 6})
    result = await operation.apply(await operation.plan(), no_revision)
    assert [line["status"] for line in result["results"]] == ["updated", "failed"]


@pytest.mark.parametrize("second", [product("2"), AWAY], ids=["as it was", "cannot be read"])
async def test_a_product_that_does_not_show_its_change_makes_the_batch_uncertain(second: Any) -> None:
    desk = products_written({"1": product("1", 5), "2": second}, "success", "success")
    operation = updating(desk, _1={"stock": 5}, _2={"stock": 6})
    with pytest.raises(WriteUncertainError) as uncertain:
        await operation.apply(await operation.plan(), no_revision)
    assert "2" in uncertain.value.details["product_ids"]


async def test_a_product_that_is_gone_does_not_show_that_a_field_was_removed() -> None:
    desk = FakeSeat({"1": product("1")})
    operation = updating(desk, _1={"location": None})
    plan = await operation.plan()
    desk.orders.clear()
    assert await operation.look_up(plan) is None


def parcel(number: str, **fields: Any) -> dict[str, Any]:
    return {"tracking_number": number, **fields}


def shipped(*parcels: dict[str, Any]) -> dict[str, Any]:
    return {"id": "1", "shipments": [{"id": place, **one} for place, one in enumerate(parcels, 1)]}


def adding(desk: FakeSeat, *parcels: dict[str, Any]) -> AddShipments:
    return AddShipments(desk.seat, [{"order_id": "1", **one} for one in parcels])


def shipments_written(after: Any, *answers: dict[str, Any]) -> FakeSeat:
    """An order with one parcel; a batch is answered with `answers`, and leaves the order as `after`."""

    def reply(_body: Any) -> dict[str, Any]:
        desk.orders["1"] = after
        return {"results": [{"order_id": "1", "status": "success", **answer} for answer in answers]}

    desk = FakeSeat({"1": shipped(parcel("OLD"))}, reply)
    return desk


@pytest.mark.parametrize("told", [{"shipment_id": 2}, {"shipment_id": "9"}, {}], ids=str)
async def test_a_shipment_is_added_that_its_order_shows_under_the_id_that_it_shows(told: dict[str, Any]) -> None:
    desk = shipments_written(shipped(parcel("OLD"), parcel("NEW")), told)
    operation = adding(desk, parcel("OLD"), parcel("NEW"))
    result = await operation.apply(await operation.plan(), no_revision)
    assert [(line["status"], line["shipment_id"]) for line in result["results"]] == [("failed", None), ("added", "2")]


async def test_parcels_without_a_number_are_told_apart_by_the_ids_that_orderdesk_told() -> None:
    somebody = parcel("n/a", cost=1)
    desk = shipments_written(shipped(parcel("OLD"), somebody, parcel("n/a")), {"shipment_id": 3})
    operation = adding(desk, parcel("n/a"))
    result = await operation.apply(await operation.plan(), no_revision)
    assert result["results"][0]["shipment_id"] == "3"


@pytest.mark.parametrize(
    "after",
    [shipped(parcel("OLD")), shipped(parcel("OLD"), parcel("NEXT")), {"id": "1", "shipments": AWAY}, AWAY],
    ids=["as it was", "with another", "listed wrongly", "cannot be read"],
)
async def test_a_shipment_that_its_order_does_not_show_makes_the_batch_uncertain(after: Any) -> None:
    desk = shipments_written(after, {"shipment_id": 2})
    operation = adding(desk, parcel("NEW"))
    with pytest.raises(WriteUncertainError) as uncertain:
        await operation.apply(await operation.plan(), no_revision)
    assert uncertain.value.details["order_ids"] == ["1"]


@pytest.mark.parametrize("one", [True, False], ids=["one", "a batch"])
async def test_a_number_that_somebody_gave_the_order_while_ours_waited_is_a_conflict(one: bool) -> None:  # noqa: FBT001
    def reply(_body: Any) -> Any:
        desk.orders["1"] = shipped(parcel("NEW"))
        return LIMITED

    desk = FakeSeat({"1": shipped()}, reply)
    operation = AddShipment(desk.seat, "1", parcel("NEW")) if one else adding(desk, parcel("NEW"))
    with pytest.raises(ConflictError):
        await operation.apply(await operation.plan(), no_revision)
    assert len(desk.written) == 1


@pytest.mark.parametrize("one", [True, False], ids=["one", "a batch"])
async def test_parcels_that_came_while_ours_waited_are_not_taken_for_ours(one: bool) -> None:  # noqa: FBT001
    def reply(_body: Any) -> Any:
        if len(desk.written) == 1:
            desk.orders["1"] = shipped(parcel("n/a"))
            return LIMITED
        return WriteUncertainError("lost")

    desk = FakeSeat({"1": shipped()}, reply)
    operation = AddShipment(desk.seat, "1", parcel("n/a")) if one else adding(desk, parcel("n/a"))
    with pytest.raises(WriteUncertainError):
        await operation.apply(await operation.plan(), desk.revise)
    assert await operation.look_up(desk.revised[-1]) is None


async def test_an_update_that_is_confirmed_without_the_object_and_cannot_be_read_is_uncertain() -> None:
    def reply(_body: Any) -> dict[str, Any]:
        desk.orders["1"] = AWAY
        return {"status": "success"}

    desk = FakeSeat({"1": {"id": "1", "email": "a@example.com"}}, reply)
    operation = Change(desk.seat, Reference(ORDER, ("1",)), lambda _: {"email": "b@example.com"})
    plan: Plan = await operation.plan()
    with pytest.raises(WriteUncertainError) as uncertain:
        await operation.apply(plan, no_revision)
    assert uncertain.value.details["order_id"] == "1"

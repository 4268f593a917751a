from typing import Any

import pytest

from server.errors import ConflictError
from server.writes.operation import Operation, Plan
from server.writes.reversals import REVERSALS, Kept
from tests.unit.server.orderdesk.seats import LIMITED, FakeSeat

SENT: dict[str, Any] = {
    "source_id": "qm-1",
    "customer": {"last_name": "New"},
    "order_items": [{"name": "Mug", "price": 5, "quantity": 1}],
    "order_notes": [{"content": "n1", "username": "System", "date_added": "2026-11-23 04:00:00"}],
}
CREATED: dict[str, Any] = {
    "id": "9",
    "email": "",
    "source_id": "qm-1",
    "source_name": "Order Desk",
    "folder_id": "100",
    "shipping": {"first_name": "", "last_name": ""},
    "customer": {"first_name": "", "last_name": "New"},
    "order_items": [
        {"id": "1", "name": "Mug", "price": 5.0, "quantity": 1, "weight": 0, "delivery_type": "ship", "metadata": []}
    ],
    "order_metadata": [],
    "order_notes": SENT["order_notes"],
    "order_shipments": [],
    "order_total": 5,
    "date_updated": "2026-11-23 04:00:00",
}
CHANGES: dict[str, Any] = {
    "order_notes": [*SENT["order_notes"], {"content": "Paid cash"}],
    "order_metadata": {"invoice": "77"},
    "order_shipments": [{"id": 3, "tracking_number": "T-1"}],
    "order_items": [],
    "email": "paid@example.com",
    "folder_id": "200",
    "tag_name": "Priority",
}


def reversal(tool: str, seat: FakeSeat, target: str, plan: Plan, result: dict[str, Any]) -> tuple[Operation, ...]:
    return REVERSALS[tool](seat.seat, Kept(tuple(target.split("/")), plan, result))


def uncreated(seat: FakeSeat, shown: dict[str, Any] = CREATED) -> Operation:
    (operation,) = reversal("orders_create", seat, "new", Plan(None, SENT), {"order": shown})
    return operation


def deleted(_body: object) -> dict[str, Any]:
    return {"status": "success"}


async def test_a_created_order_that_nobody_changed_is_deleted() -> None:
    seat = FakeSeat({"9": {**CREATED, "date_updated": "2026-11-23 05:00:00"}}, deleted)
    operation = uncreated(seat)
    await operation.apply(await operation.plan(), seat.revise)
    assert [written[0] for written in seat.written] == ["DELETE"]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_created_order_that_was_changed_since_is_kept(name: str) -> None:
    seat = FakeSeat({"9": {**CREATED, name: CHANGES[name]}}, deleted)
    with pytest.raises(ConflictError, match=name):
        await uncreated(seat).plan()


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"email", "folder_id", "tag_name"}))
async def test_a_created_order_that_was_changed_before_it_was_found_is_kept(name: str) -> None:
    found = {**CREATED, name: CHANGES[name]}
    with pytest.raises(ConflictError, match=name):
        uncreated(FakeSeat({"9": found}), found)


@pytest.mark.parametrize("when", ["before the first attempt", "while an attempt was refused"])
async def test_a_created_order_is_looked_at_right_before_it_is_deleted(when: str) -> None:
    def answer(_body: object) -> Any:
        seat.orders["9"] = {**CREATED, **CHANGES}
        return LIMITED

    seat = FakeSeat({"9": CREATED}, answer)
    operation = uncreated(seat)
    plan = await operation.plan()
    if when == "before the first attempt":
        seat.orders["9"] = {**CREATED, **CHANGES}
    with pytest.raises(ConflictError, match="changed since"):
        await operation.apply(plan, seat.revise)
    assert len(seat.written) == (when != "before the first attempt")


async def test_shipments_of_a_batch_are_taken_back_where_all_that_was_sent_is_as_sent() -> None:
    sent = {"tracking_number": "T-1", "carrier_code": "UPS", "cost": 5}
    results = [
        {"order_id": "8", "tracking_number": "T-0", "status": "failed", "shipment_id": None},
        {"order_id": "9", "tracking_number": "T-1", "status": "added", "shipment_id": "3"},
    ]
    plan = Plan({"8": {}, "9": {}}, {"8": {}, "9": {"new 2": sent}})
    seat = FakeSeat({"3": {**sent, "id": 3, "cost": "5.00", "weight": 0}})
    (operation,) = reversal("shipments_batch", seat, "8 and 1 more", plan, {"results": results})
    assert (operation.target, (await operation.plan()).after) == ("9/3", None)
    seat.orders["3"] = {**sent, "id": 3, "carrier_code": "DHL"}
    with pytest.raises(ConflictError, match="carrier_code"):
        await operation.plan()


def moved(folder: str, order_id: str = "1") -> dict[str, Any]:
    return {"id": order_id, "folder_id": folder}


def moved_back(seat: FakeSeat) -> tuple[Operation, ...]:
    lines = [
        {"order_id": order_id, "status": status, "original_folder_id": "10"}
        for order_id, status in (("1", "moved"), ("2", "moved"), ("3", "unchanged"))
    ]
    return reversal("orders_move", seat, "1 and 2 more", Plan({}, {}), {"folder_id": "20", "results": lines})


async def test_every_moved_order_is_moved_back_by_itself() -> None:
    def answer(body: Any) -> Any:
        seat.orders["1"] = moved("10")
        return {"results": [{"order_id": body["order_id_list"][0], "original_folder_id": 20}]}

    seat = FakeSeat({"1": moved("20"), "2": moved("20", "2")}, answer)
    operations = moved_back(seat)
    assert [operation.target for operation in operations] == ["1", "2"]
    await operations[0].apply(await operations[0].plan(), seat.revise)
    assert seat.written == [("POST", "/move-orders", {"order_id_list": ["1"], "destination_folder_id": "10"})]


@pytest.mark.parametrize("when", ["before the first attempt", "while an attempt was refused"])
async def test_an_order_is_looked_at_right_before_it_is_moved_back(when: str) -> None:
    def answer(_body: object) -> Any:
        seat.orders["1"] = moved("30")
        return LIMITED

    seat = FakeSeat({"1": moved("20")}, answer)
    operation = moved_back(seat)[0]
    plan = await operation.plan()
    if when == "before the first attempt":
        seat.orders["1"] = moved("30")
    with pytest.raises(ConflictError, match="Moved on"):
        await operation.apply(plan, seat.revise)
    assert len(seat.written) == (when != "before the first attempt")


@pytest.mark.parametrize("tool", ["orders_create", "orders_move", "shipments_batch", "products_batch_update"])
def test_what_was_settled_without_a_result_cannot_be_taken_back(tool: str) -> None:
    with pytest.raises(ConflictError, match="was not seen"):
        reversal(tool, FakeSeat({}), "1", Plan({}, {}), {})

"""A dry run of a batch tells for each entry what would become of it, and each difference names its object."""

from typing import Any

from server.orderdesk.batch_products import UpdateProducts
from server.orderdesk.batch_shipments import AddShipments
from server.orderdesk.kinds import ITEM, ORDER, Reference
from server.orderdesk.move import Move
from server.orderdesk.operation import StoreOperation
from tests.unit.server.orderdesk.seats import FakeSeat


async def previewed(operation: Any) -> dict[str, Any]:
    """What the dry run tells; it writes nothing, for the seat has no answer to it."""
    assert isinstance(operation, StoreOperation)
    preview: dict[str, Any] = operation.preview(await operation.plan())  # type: ignore[attr-defined]
    return preview


def told(preview: dict[str, Any], name: str = "order_id") -> list[tuple[str, str, str]]:
    return [(line[name], line["status"], line["message"]) for line in preview["results"]]


def test_an_object_is_named_with_the_order_that_it_is_a_part_of() -> None:
    assert Reference(ORDER, ("7",)).name == "Order 7"
    assert Reference(ITEM, ("7", "1")).name == "Item 1 of order 7"


async def test_a_move_tells_which_orders_would_move_stay_or_fail() -> None:
    async def destination() -> str:
        return "20"

    desk = FakeSeat({"1": {"id": "1", "folder_id": 10}, "2": {"id": "2", "folder_id": 20}})
    preview = await previewed(Move(desk.seat, ("1", "2", "9"), destination))
    assert preview["changes"] == [{"object": "Order 1", "field": "folder_id", "before": 10, "after": 20}]
    assert told(preview) == [
        ("1", "planned", "Would be moved"),
        ("2", "unchanged", "Was there already"),
        ("9", "failed", "Order not found"),
    ]
    assert (preview["folder_id"], preview["unchanged"], preview["failed"]) == ("20", 1, 1)
    assert "moved" not in preview


async def test_a_move_of_orders_that_are_all_there_plans_nothing() -> None:
    async def destination() -> str:
        return "20"

    preview = await previewed(Move(FakeSeat({"2": {"id": "2", "folder_id": 20}}).seat, ("2", "9"), destination))
    assert preview["changes"] == []
    assert [status for _, status, _ in told(preview)] == ["unchanged", "failed"]


async def test_a_batch_of_shipments_tells_which_would_be_added_and_why_others_would_not() -> None:
    taken = {"id": "5", "tracking_number": "T-1"}
    desk = FakeSeat({"1": {"id": "1", "shipments": [taken]}, "2": {"id": "2"}})
    entries = [
        {"order_id": "1", "tracking_number": "T-1"},
        {"order_id": "1", "tracking_number": "T-2"},
        {"order_id": "2", "tracking_number": "T-2"},
        {"order_id": "2", "tracking_number": "T-2"},
        {"order_id": "9", "tracking_number": "T-3"},
    ]
    preview = await previewed(AddShipments(desk.seat, entries))
    assert preview["changes"] == [
        {"object": "Order 1", "field": "new 2", "before": None, "after": {"tracking_number": "T-2"}},
        {"object": "Order 2", "field": "new 3", "before": None, "after": {"tracking_number": "T-2"}},
    ]
    assert told(preview) == [
        ("1", "failed", "The order has a shipment with this tracking number already"),
        ("1", "planned", "Would be added"),
        ("2", "planned", "Would be added"),
        ("2", "failed", "An earlier entry of the batch gives the order this tracking number"),
        ("9", "failed", "Order Not Found"),
    ]
    assert [line["tracking_number"] for line in preview["results"]] == ["T-1", "T-2", "T-2", "T-2", "T-3"]
    assert preview["failed"] == 3


async def test_a_batch_of_products_tells_which_would_change_stay_or_fail() -> None:
    desk = FakeSeat({number: {"id": number, "stock": 1, "location": "A"} for number in ("1", "2", "3")})
    changes: dict[str, dict[str, Any]] = {
        "1": {"stock": 5, "location": "B"},
        "2": {"stock": 1},
        "9": {"stock": 5},
        "3": {"stock": 2},
    }
    preview = await previewed(UpdateProducts(desk.seat, changes))
    assert preview["changes"] == [
        {"object": "Product 1", "field": "stock", "before": 1, "after": 5},
        {"object": "Product 1", "field": "location", "before": "A", "after": "B"},
        {"object": "Product 3", "field": "stock", "before": 1, "after": 2},
    ]
    assert told(preview, "product_id") == [
        ("1", "planned", "Would be updated"),
        ("2", "unchanged", "Has these values already"),
        ("9", "failed", "Inventory Item Not Found"),
        ("3", "planned", "Would be updated"),
    ]
    assert (preview["unchanged"], preview["failed"]) == (1, 1)

"""A dry run over several writes: each is tried on what the reverts before it would leave."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from server.errors import ConflictError, NotFoundError
from server.orderdesk.desk import Seat
from server.orderdesk.kinds import ITEM, ORDER, PRODUCT, SHIPMENT, Reference
from server.writes.operation import Operation, Plan
from server.writes.rehearsal import Rehearsal
from server.writes.reversals import REVERSALS, Kept

ITEM_NOW: dict[str, Any] = {"id": 5, "name": "Cup", "price": 3, "quantity": 2, "metadata": []}
SHIPMENT_NOW: dict[str, Any] = {"id": 3, "tracking_number": "T-1"}
ORDER_NOW: dict[str, Any] = {
    "id": "1",
    "email": "c@x",
    "folder_id": 20,
    "order_items": [ITEM_NOW],
    "order_shipments": [{**SHIPMENT_NOW, "shown_in_orders_only": 1}],
}


class Upstream:
    """What OrderDesk holds, by the kind's member and the ids; it notes what was read."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects
        self.read: list[tuple[str, ...]] = []

    async def get(self, _call: object, _store: object, template: str, *ids: str) -> dict[str, Any]:
        self.read.append(ids)
        kind = next(kind for kind in (ORDER, ITEM, SHIPMENT, PRODUCT) if kind.template == template)
        if kind.member not in self.objects:
            raise NotFoundError(f"{kind.title} Not Found")
        return {kind.member: self.objects[kind.member]}


class Run:
    """A dry run at one store."""

    def __init__(self, **objects: Any) -> None:
        self.upstream = Upstream(**objects)
        desk = SimpleNamespace(gateway=self.upstream, retries=1, now=lambda: "2026-11-23 04:00:00")
        seat = Seat(cast("Any", desk), cast("Any", None), cast("Any", SimpleNamespace(upstream="u")))
        self.rehearsal = Rehearsal()
        self.seat = self.rehearsal.at(seat)

    async def revert(self, tool: str, target: str, plan: Plan, result: dict[str, Any] | None = None) -> list[Any]:
        """The changes that taking a write back would make."""
        kept = Kept(tuple(target.split("/")), plan, result or {})
        return [await self._rehearse(operation) for operation in REVERSALS[tool](self.seat, kept)]

    async def _rehearse(self, operation: Operation) -> Any:
        plan = await operation.plan()
        await self.rehearsal.carry_out(self.seat, operation, plan)
        return [(line["field"], line["after"]) for line in operation.preview(plan)["changes"]]

    async def order(self) -> dict[str, Any]:
        return await self.seat.fetch(Reference(ORDER, ("1",)))


def emails(before: str, after: str) -> Plan:
    return Plan({"id": "1", "email": before}, {"id": "1", "email": after})


async def test_a_chain_of_changes_to_one_order_is_followed_and_read_once() -> None:
    run = Run(order=ORDER_NOW)
    told = [await run.revert("orders_update", "1", emails(*each)) for each in (("b@x", "c@x"), ("a@x", "b@x"))]
    assert told == [[[("email", "b@x")]], [[("email", "a@x")]]]
    assert run.upstream.read == [("1",)]


async def test_what_was_not_rehearsed_before_stands_in_the_way_as_in_the_real_run() -> None:
    run = Run(order=ORDER_NOW)
    with pytest.raises(ConflictError, match="email was changed since"):
        await run.revert("orders_update", "1", emails("a@x", "b@x"))
    assert (await run.order())["email"] == "c@x"


async def test_stores_do_not_see_each_others_objects() -> None:
    run = Run(order=ORDER_NOW)
    await run.revert("orders_update", "1", emails("b@x", "c@x"))
    elsewhere = Seat(run.seat.desk, run.seat.call, cast("Any", SimpleNamespace(upstream="other")))
    assert (await run.rehearsal.at(elsewhere).fetch(Reference(ORDER, ("1",))))["email"] == "c@x"


async def test_a_part_that_would_be_gone_is_gone_from_its_order_too() -> None:
    run = Run(order=ORDER_NOW, shipment=SHIPMENT_NOW, order_item=ITEM_NOW)
    await run.revert("shipments_add", "1", Plan({}, {"new": SHIPMENT_NOW}), {"shipment": SHIPMENT_NOW})
    await run.revert("order_items_add", "1", Plan({}, {"item": ITEM_NOW}), {"item": ITEM_NOW})
    created = {**ORDER_NOW, "order_items": [], "order_shipments": []}
    assert await run.revert("orders_create", "new", Plan(None, created), {"order": created}) == [[("", None)]]
    for gone in (Reference(ORDER, ("1",)), Reference(ITEM, ("1", "5")), Reference(SHIPMENT, ("1", "3"))):
        with pytest.raises(NotFoundError, match="would be deleted"):
            await run.seat.fetch(gone)


async def test_a_changed_part_changes_in_its_order_which_may_show_more_of_it() -> None:
    run = Run(order=ORDER_NOW, shipment=SHIPMENT_NOW)
    plan = Plan({"id": 3, "tracking_number": "T-0"}, SHIPMENT_NOW)
    await run.revert("shipments_update", "1/3", plan)
    assert (await run.order())["order_shipments"] == [{"id": 3, "tracking_number": "T-0", "shown_in_orders_only": 1}]


async def test_an_item_changed_through_its_order_is_changed_for_older_writes_to_the_item() -> None:
    run = Run(order=ORDER_NOW, order_item=ITEM_NOW)
    was = {**ITEM_NOW, "quantity": 1}
    plan = Plan({**ORDER_NOW, "order_items": [was]}, ORDER_NOW)
    await run.revert("orders_update", "1", plan)
    older = Plan({**was, "quantity": 4}, was)
    assert await run.revert("order_items_update", "1/5", older) == [[("quantity", 4)]]
    assert (await run.order())["order_items"] == [{**was, "quantity": 4}]


async def test_an_order_moved_back_is_in_its_folder_for_older_writes_and_the_rules_are_not_foreseen() -> None:
    run = Run(order=ORDER_NOW)
    lines = [{"order_id": "1", "status": "moved", "original_folder_id": "10"}]
    kept = Kept(("1",), Plan({}, {}), {"folder_id": "20", "results": lines})
    (back,) = REVERSALS["orders_move"](run.seat, kept)
    assert "not foreseen" in back.preview(await back.plan())["note"]
    assert await run.revert("orders_move", "1", kept.plan, kept.result) == [[("folder_id", 10)]]
    older = {"folder_id": "10", "results": [{**lines[0], "original_folder_id": "5"}]}
    assert await run.revert("orders_move", "1", Plan({}, {}), older) == [[("folder_id", 5)]]


async def test_stock_adjusted_twice_is_followed() -> None:
    run = Run(inventory_item={"id": 7, "stock": 9})
    for before, after in ((5, 9), (4, 5)):
        plan = Plan({"id": 7, "stock": before}, {"id": 7, "stock": after})
        assert await run.revert("products_adjust_stock", "7", plan) == [[("stock", before)]]

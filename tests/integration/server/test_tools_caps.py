"""Which calls use up a tenant's hourly cap."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.client import Client
from tests.integration.server.bench import Bench, Shop, fail, succeed
from tests.integration.server.operating import operate

Ask = Callable[[str, int], tuple[str, dict[str, Any]]]


@pytest.fixture
def capped(bench: Bench, shop: Shop) -> None:
    operate(bench, "brake", "cap", shop.tenant.name, "2", "--reason", "new agent")


def shipment(order_id: str, number: int) -> tuple[str, dict[str, Any]]:
    return "shipments_add", {"order_id": order_id, "tracking_number": f"T{number}"}


def item(order_id: str, number: int) -> tuple[str, dict[str, Any]]:
    return "order_items_add", {"order_id": order_id, "name": f"Tray {number}"}


@pytest.mark.usefixtures("capped")
@pytest.mark.parametrize("ask", [shipment, item])
def test_what_creates_an_object_counts(ask: Ask, shop: Shop, client: Client) -> None:
    for number in range(2):
        succeed(client, *ask(shop.orders[0], number))
    error = fail(client, *ask(shop.orders[0], 2))
    assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "destructive_per_hour")


@pytest.mark.usefixtures("capped")
def test_what_changes_nothing_does_not_count_and_leaves_one_audit_row(bench: Bench, shop: Shop, client: Client) -> None:
    folder = str(bench.upstream.order(shop.account, shop.orders[0])["folder_id"])
    asked = {"order_ids": [shop.orders[0]], "destination_folder_id": folder}
    for key in ("a", "b", "c", "d"):
        first = succeed(client, "orders_move", {**asked, "idempotency_key": key})
        assert (first["unchanged"], "write_id" in first) == (1, False)
        assert succeed(client, "orders_move", {**asked, "idempotency_key": key}) == {**first, "replayed": True}
    rows = bench.query(
        "SELECT status, write_id IS NOT NULL FROM audit WHERE tenant_id = ? AND tool = 'orders_move' ORDER BY id",
        shop.tenant.id,
    )
    assert sorted(rows) == [("success", 0)] * 4 + [("success", 1)] * 4
    for order_id in shop.orders[:2]:
        succeed(client, "orders_delete", {"order_id": order_id})
    assert fail(client, "orders_delete", {"order_id": shop.orders[2]})["code"] == "RATE_LIMIT_EXCEEDED"


@pytest.mark.usefixtures("capped")
def test_an_update_counts_when_it_replaces_the_items(shop: Shop, client: Client) -> None:
    for order_id in shop.orders[:3]:
        succeed(client, "orders_update", {"order_id": order_id, "changes": {"email": "a@example.com"}})
    for order_id in shop.orders[:2]:
        succeed(client, "orders_update", {"order_id": order_id, "changes": {"order_items": []}})
    error = fail(client, "orders_update", {"order_id": shop.orders[2], "changes": {"order_items": []}})
    assert (error["code"], error["details"]["limit"]) == ("RATE_LIMIT_EXCEEDED", "destructive_per_hour")

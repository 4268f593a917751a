"""Every tool that writes to an order, as the tests of all such tools need it: how to ask, and what OrderDesk gets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.sandbox.faults import Match
from tests.integration.server.bench import Bench, Shop

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Writing:
    """A write tool. `asked` makes arguments that succeed once, `sent` the path and body of what OrderDesk then gets.

    `path` begins the paths that its write goes to, `field` is one that its dry run names, `absent` are arguments
    about an order that is not there, and `required` what it cannot do without.
    """

    tool: str
    asked: Callable[[Bench, Shop], Arguments]
    sent: Callable[[Bench, Shop, Arguments], tuple[str, Any]]
    method: str
    path: str
    field: Callable[[Arguments], str]
    required: frozenset[str]
    absent: Arguments | None = None

    def match(self, shop: Shop) -> Match:
        """The requests that carry the write, and no reading."""
        return Match.model_validate(
            {"method": self.method, "path_prefix": self.path, "store_id": shop.account.store_id}
        )

    def calls(self, bench: Bench, shop: Shop, since: int) -> list[dict[str, Any]]:
        """How often it was really sent."""
        calls = bench.upstream.calls(shop.account, since, self.method)
        return [call for call in calls if call["path"].startswith(self.path)]

    def arrive(self, bench: Bench, shop: Shop, asked: Arguments) -> None:
        """Let OrderDesk have the write late, after everybody gave it up."""
        path, body = self.sent(bench, shop, asked)
        assert bench.upstream.request(shop.account, self.method, path, body)["status"] == "success"


def order_data(shop: Shop, **more: Any) -> Arguments:
    """An order to create."""
    return {
        "source_id": f"N-{shop.orders[0]}",
        "source_name": "Phone",
        "customer": {"first_name": "Ada", "last_name": "Example"},
        "order_items": [{"name": "Oak Tray", "price": 24.5, "quantity": 2}],
        **more,
    }


def other_folder(bench: Bench, shop: Shop, *orders: str) -> str:
    """The id of a folder that none of these orders is in."""
    folders = bench.upstream.request(shop.account, "GET", "/store")["store"]["folders"]
    taken = {str(bench.upstream.order(shop.account, order)["folder_id"]) for order in orders}
    return next(str(number) for number in folders if number not in taken)


def first_item(bench: Bench, shop: Shop) -> dict[str, Any]:
    """The first item of the shop's first order."""
    item: dict[str, Any] = bench.upstream.order(shop.account, shop.orders[0])["order_items"][0]
    return item


def _move(bench: Bench, shop: Shop) -> Arguments:
    moved = list(shop.orders[:2])
    return {"order_ids": moved, "destination_folder_id": other_folder(bench, shop, *moved)}


def _item(bench: Bench, shop: Shop) -> Arguments:
    return {"order_id": shop.orders[0], "item_id": str(first_item(bench, shop)["id"])}


def _item_path(asked: Arguments) -> str:
    return f"/orders/{asked['order_id']}/order-items/{asked['item_id']}"


def _with_note(bench: Bench, shop: Shop, asked: Arguments) -> tuple[str, Any]:
    order = bench.upstream.order(shop.account, asked["order_id"])
    note = {"username": asked["username"], "content": asked["note"]}
    return f"/orders/{asked['order_id']}", {**order, "order_notes": [*order["order_notes"], note]}


ABSENT = "999999999"
NEW_ITEM = {"name": "Oak Tray", "price": 24.5, "quantity": 2, "metadata": {"engraving": "Ada"}}

ORDER_WRITINGS = (
    Writing(
        "orders_create",
        lambda _bench, shop: {"order_data": order_data(shop)},
        lambda _bench, _shop, asked: ("/orders", asked["order_data"]),
        "POST",
        "/orders",
        lambda _: "",
        frozenset({"order_data"}),
    ),
    Writing(
        "orders_delete",
        lambda _bench, shop: {"order_id": shop.orders[0]},
        lambda _bench, _shop, asked: (f"/orders/{asked['order_id']}", None),
        "DELETE",
        "/orders",
        lambda _: "",
        frozenset({"order_id"}),
        {"order_id": ABSENT},
    ),
    Writing(
        "orders_move",
        _move,
        lambda _bench, _shop, asked: (
            "/move-orders",
            {"order_id_list": asked["order_ids"], "destination_folder_id": asked["destination_folder_id"]},
        ),
        "POST",
        "/move-orders",
        lambda _: "folder_id",
        frozenset({"order_ids"}),
        {"order_ids": [ABSENT], "destination_folder_name": "Shipped"},
    ),
    Writing(
        "orders_add_history",
        lambda _bench, shop: {"order_id": shop.orders[0], "note": "Label printed again"},
        lambda _bench, _shop, asked: (f"/orders/{asked['order_id']}/order-history", {"note": asked["note"]}),
        "POST",
        "/orders",
        lambda _: "entry",
        frozenset({"order_id", "note"}),
        {"order_id": ABSENT, "note": "Label printed again"},
    ),
    Writing(
        "orders_add_note",
        lambda _bench, shop: {"order_id": shop.orders[0], "note": "Deliver after five", "username": "Ada"},
        _with_note,
        "PUT",
        "/orders",
        lambda _: "order_notes",
        frozenset({"order_id", "note"}),
        {"order_id": ABSENT, "note": "Deliver after five"},
    ),
)
ITEM_WRITINGS = (
    Writing(
        "order_items_add",
        lambda _bench, shop: {"order_id": shop.orders[0], **NEW_ITEM},
        lambda _bench, _shop, asked: (f"/orders/{asked['order_id']}/order-items", NEW_ITEM),
        "POST",
        "/orders",
        lambda _: "item",
        frozenset({"order_id", "name"}),
        {"order_id": ABSENT, **NEW_ITEM},
    ),
    Writing(
        "order_items_update",
        lambda bench, shop: {**_item(bench, shop), "changes": {"quantity": 77}},
        lambda _bench, _shop, asked: (_item_path(asked), {"name": "Oak Tray", "quantity": 77}),
        "PUT",
        "/orders",
        lambda _: "quantity",
        frozenset({"order_id", "item_id", "changes"}),
        {"order_id": ABSENT, "item_id": "1", "changes": {"quantity": 77}},
    ),
    Writing(
        "order_items_delete",
        _item,
        lambda _bench, _shop, asked: (_item_path(asked), None),
        "DELETE",
        "/orders",
        lambda _: "",
        frozenset({"order_id", "item_id"}),
        {"order_id": ABSENT, "item_id": "1"},
    ),
)

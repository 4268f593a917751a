"""For each tool, arguments to call it with: other ones each time, of objects that the call finds as it needs them."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from harness.client import Client
from harness.targets.sandbox import Account
from perf.errors import PerfError

Arguments = dict[str, Any]
SEVERAL: Final = 5
"""How many objects a call names that takes several."""
PAGE: Final = 20


@dataclass
class Stage:
    """A store with orders and products; numbers and ids come anew each time."""

    client: Client
    account: Account
    key: str
    orders: Sequence[Mapping[str, Any]]
    products: Sequence[str]
    folders: Sequence[str]
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def answer(self, tool: str, /, **arguments: Any) -> Mapping[str, Any]:
        """What a tool answers that is only called to prepare another. Raises PerfError where it refuses."""
        outcome = self.client.call_tool(tool, arguments)
        if outcome.is_error or outcome.structured is None:
            raise PerfError(f"{tool} refused: {outcome.text[:200]}")
        return outcome.structured

    def order(self) -> str:
        """The id of an order, in turn."""
        return str(self.orders[next(self.numbers) % len(self.orders)]["id"])

    def product(self) -> str:
        """The id of a product, in turn."""
        return self.products[next(self.numbers) % len(self.products)]

    def part(self, kind: str, order: str, **added: Any) -> str:
        """The id of an item or shipment that is added to an order for this."""
        added_by, listed_by, member, _ = PARTS[kind]
        self.answer(added_by, order_id=order, **added)
        return str(self.answer(listed_by, order_id=order)[member][-1]["id"])


PARTS: Final = {
    "item": ("order_items_add", "order_items_list", "order_items", "item_id"),
    "shipment": ("shipments_add", "shipments_list", "shipments", "shipment_id"),
}
Case = Callable[[Stage], Arguments]
"""Prepares one call, and returns its arguments."""


def open_stage(client: Client, account: Account, key: str) -> Stage:
    """Return a stage on the client's active store. Raises PerfError where it has nothing to work with."""
    stage = Stage(client, account, key, (), (), ())
    stage.orders = stage.answer("orders_list", limit=100)["orders"]
    stage.products = [str(each["id"]) for each in stage.answer("products_list", limit=100)["products"]]
    stage.folders = [str(each["name"]) for each in stage.answer("stores_folders")["folders"]]
    if not (stage.orders and stage.products and stage.folders):
        raise PerfError("the store has no orders, products or folders to call tools with")
    return stage


def _new_order(stage: Stage) -> Arguments:
    source = {"source_id": f"P-{next(stage.numbers)}", "source_name": "Profile"}
    return {**source, "customer": {"company": "Profile"}, "order_items": [{"name": "Tray"}]}


def _new_store(stage: Stage) -> Arguments:
    # As many as a tenant may register, and then the same again.
    number = str(next(stage.numbers) % 50 + 1)
    return {"store_id": number, "api_key": stage.account.api_key, "store_name": "Profile", "label": f"profile-{number}"}


def _new_product(stage: Stage) -> Arguments:
    return {"name": "Profile", "code": f"PROFILE-{next(stage.numbers)}"}


def _new_part(kind: str, stage: Stage) -> Arguments:
    if kind == "item":
        return {"name": "Profile", "quantity": 1}
    return {"tracking_number": f"1Z-{next(stage.numbers)}"}


def _of_part(kind: str, **more: Any) -> Case:
    """A call about a part that was just added to an order."""

    def prepare(stage: Stage) -> Arguments:
        order = stage.order()
        return {"order_id": order, PARTS[kind][3]: stage.part(kind, order, **_new_part(kind, stage)), **more}

    return prepare


def _find(stage: Stage) -> Arguments:
    order = stage.orders[next(stage.numbers) % len(stage.orders)]
    return {"source_id": str(order["source_id"]), "source_name": order["source_name"]}


def _move(stage: Stage) -> Arguments:
    folder = stage.folders[next(stage.numbers) % len(stage.folders)]
    return {"order_ids": [stage.order() for _ in range(SEVERAL)], "destination_folder_name": folder}


def _delete_store(stage: Stage) -> Arguments:
    store = _new_store(stage)
    stage.answer("stores_register", **store)
    return {"store_identifier": store["store_id"]}


def _parcels(stage: Stage) -> Arguments:
    return {"shipments": [{"order_id": stage.order(), **_new_part("shipment", stage)} for _ in range(SEVERAL)]}


def _batch_of_products(stage: Stage) -> Arguments:
    return {
        "products": [
            {"product_id": stage.product(), "changes": {"location": f"Shelf {next(stage.numbers)}"}}
            for _ in range(SEVERAL)
        ]
    }


CASES: Final[Mapping[str, Case]] = {
    "tenant_use_master_key": lambda stage: {"master_key": stage.key},
    "stores_list": lambda _: {},
    "stores_resolve": lambda stage: {"identifier": stage.account.store_id},
    "stores_use_store": lambda stage: {"identifier": stage.account.store_id},
    "stores_test": lambda _: {},
    "stores_settings": lambda _: {},
    "stores_folders": lambda _: {},
    "stores_register": _new_store,
    "stores_delete": _delete_store,
    "orders_list": lambda stage: {"limit": PAGE, "offset": next(stage.numbers) % PAGE},
    "orders_get": lambda stage: {"order_id": stage.order()},
    "orders_find": _find,
    "orders_create": lambda stage: {"order_data": _new_order(stage)},
    "orders_update": lambda stage: {
        "order_id": stage.order(),
        "changes": {"email": f"profile-{next(stage.numbers)}@example.com"},
    },
    "orders_add_note": lambda stage: {"order_id": stage.order(), "note": f"Profile {next(stage.numbers)}"},
    "orders_add_history": lambda stage: {"order_id": stage.order(), "note": f"Profile {next(stage.numbers)}"},
    "orders_move": _move,
    "orders_delete": lambda stage: {
        "order_id": str(stage.answer("orders_create", order_data=_new_order(stage))["order"]["id"])
    },
    "order_items_add": lambda stage: {"order_id": stage.order(), **_new_part("item", stage)},
    "order_items_list": lambda stage: {"order_id": stage.order()},
    "order_items_get": _of_part("item"),
    "order_items_update": _of_part("item", changes={"quantity": 2}),
    "order_items_delete": _of_part("item"),
    "shipments_add": lambda stage: {"order_id": stage.order(), **_new_part("shipment", stage)},
    "shipments_list": lambda stage: {"order_id": stage.order()},
    "shipments_get": _of_part("shipment"),
    "shipments_update": _of_part("shipment", changes={"carrier_code": "UPS"}),
    "shipments_batch": _parcels,
    "shipments_delete": _of_part("shipment"),
    "products_list": lambda stage: {"limit": PAGE, "offset": next(stage.numbers) % PAGE},
    "products_get": lambda stage: {"product_id": stage.product()},
    "products_update": lambda stage: {
        "product_id": stage.product(),
        "changes": {"location": f"Shelf {next(stage.numbers)}"},
    },
    "products_batch_update": _batch_of_products,
    "products_adjust_stock": lambda stage: {"product_id": stage.product(), "by": 1, "reason": "profile"},
    "products_create": _new_product,
    "products_delete": lambda stage: {
        "product_id": str(stage.answer("products_create", **_new_product(stage))["product"]["id"])
    },
}
"""A case for each tool that this server has; one that is missing leaves the ranking inconclusive."""


def prepare(stage: Stage, tool: str, count: int) -> Iterator[Arguments]:
    """The arguments of so many calls of a tool, each prepared as it is taken."""
    case = CASES[tool]
    return (case(stage) for _ in range(count))

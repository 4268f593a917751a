"""What clients ask that a cache may answer: each tool's question, its true answer in a store's state, the given one.

A question's arguments are what the tool is called with. Answers are compared whole: every field of every object, and
how many there are in all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.sandbox.fields import Record

Arguments = Mapping[str, Any]
PAGE: Final = 20
SEARCHED: Final = ("name", "code", "manufacturer_sku")
TTL_SETTINGS: Final = {
    "orders": ("cache_ttl_orders_seconds",),
    "order_lists": ("cache_ttl_orders_seconds", "cache_ttl_lists_seconds"),
    "products": ("cache_ttl_products_seconds",),
    "product_lists": ("cache_ttl_products_seconds", "cache_ttl_lists_seconds"),
    "store": ("cache_ttl_store_seconds",),
}
"""The server's settings the least of which says how old what is cached of a kind may be."""


@dataclass(frozen=True)
class State:
    """What a store holds at a time; objects are never changed in place."""

    orders: Mapping[str, Record]
    products: Mapping[str, Record]
    store: Record


@dataclass(frozen=True)
class Reading:
    """How a tool reads: what of, the answer that a state implies, and what of the tool's answer to compare with it."""

    kind: str
    expected: Callable[[State, Arguments], Any]
    shown: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Question:
    """A call of a tool that reads."""

    tool: str
    given: tuple[tuple[str, str | int], ...]

    @property
    def arguments(self) -> dict[str, str | int]:
        """What the tool is called with."""
        return dict(self.given)

    @property
    def reading(self) -> Reading:
        """How its tool reads."""
        return READINGS[self.tool]

    def expected(self, state: State) -> Any:
        """The true answer while the store is in this state."""
        return self.reading.expected(state, self.arguments)


def ask(tool: str, /, **arguments: str | int) -> Question:
    """A question."""
    return Question(tool, tuple(arguments.items()))


def newest_first(orders: Mapping[str, Record]) -> list[Record]:
    """Orders as they are listed: the sandbox gives out ids in the order in which orders were added."""
    return sorted(orders.values(), key=lambda order: -int(order["id"]))


def _page(found: Sequence[Record], asked: Arguments) -> tuple[list[Record], int]:
    begin = int(asked.get("offset", 0))
    return list(found[begin : begin + int(asked.get("limit", PAGE))]), len(found)


def _orders(state: State, asked: Arguments) -> tuple[list[Record], int]:
    found = newest_first(state.orders)
    if "folder_name" in asked:
        folders = [int(number) for number, name in state.store["folders"].items() if name == asked["folder_name"]]
        found = [order for order in found if order["folder_id"] in folders]
    return _page(found, asked)


def _from_source(state: State, asked: Arguments) -> list[Record]:
    return [each for each in newest_first(state.orders) if each["source_id"] == asked["source_id"]]


def _products(state: State, asked: Arguments) -> tuple[list[Record], int]:
    wanted = str(asked.get("search", "")).casefold()
    return _page(
        [each for each in state.products.values() if any(wanted in each[name].casefold() for name in SEARCHED)], asked
    )


def _parts(member: str) -> Callable[[State, Arguments], tuple[list[Record], int]]:
    def expected(state: State, asked: Arguments) -> tuple[list[Record], int]:
        found = state.orders[asked["order_id"]][member]
        return found, len(found)

    return expected


def _part(member: str, named: str) -> Callable[[State, Arguments], Record | None]:
    def expected(state: State, asked: Arguments) -> Record | None:
        found = state.orders[asked["order_id"]][member]
        return next((each for each in found if str(each["id"]) == asked[named]), None)

    return expected


def _listed(member: str) -> Callable[[Mapping[str, Any]], tuple[Any, Any]]:
    return lambda answer: (answer[member], answer["pagination"]["total"])


READINGS: Final[Mapping[str, Reading]] = {
    "orders_get": Reading("orders", lambda state, asked: state.orders[asked["order_id"]], lambda it: it["order"]),
    "orders_list": Reading("order_lists", _orders, _listed("orders")),
    "orders_find": Reading("order_lists", _from_source, lambda it: it["orders"]),
    "order_items_list": Reading("orders", _parts("order_items"), _listed("order_items")),
    "order_items_get": Reading("orders", _part("order_items", "item_id"), lambda it: it["item"]),
    "shipments_list": Reading("orders", _parts("order_shipments"), _listed("shipments")),
    "shipments_get": Reading("orders", _part("order_shipments", "shipment_id"), lambda it: it["shipment"]),
    "products_get": Reading(
        "products", lambda state, asked: state.products[asked["product_id"]], lambda it: it["product"]
    ),
    "products_list": Reading("product_lists", _products, _listed("products")),
    "stores_settings": Reading(
        "store",
        lambda state, _: (state.store["id"], state.store["name"]),
        lambda it: (it["store"]["id"], it["store"]["name"]),
    ),
    "stores_folders": Reading(
        "store",
        lambda state, _: list(state.store["folders"].items()),
        lambda it: [(folder["id"], folder["name"]) for folder in it["folders"]],
    ),
}
"""Every tool that answers from the cache."""

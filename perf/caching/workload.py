"""The seeded workload: who does what when. What is popular is asked for and changed most, by Zipf's law."""

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from harness.sandbox.fields import Record
from perf.caching.model import CacheTable
from perf.caching.questions import PAGE, Question, State, ask, newest_first

SEED: Final = 1
WEIGHTS: Final = {
    "orders_get": 25,
    "orders_list": 14,
    "orders_find": 6,
    "order_items_list": 8,
    "order_items_get": 5,
    "shipments_list": 8,
    "shipments_get": 5,
    "products_get": 12,
    "products_list": 9,
    "stores_settings": 4,
    "stores_folders": 4,
}
"""Of a hundred reads."""
SEARCHES: Final = ("Mug", "Lamp", "Oak", "Brass")
T = TypeVar("T")


@dataclass(frozen=True)
class Write:
    """A change through the server, and the questions that a careful client asks before and after."""

    tool: str
    arguments: dict[str, Any]
    looked_at: tuple[Question, ...]


@dataclass(frozen=True)
class Change:
    """A change by somebody else, at OrderDesk: fields of an object, or what is posted where."""

    path: str
    member: str
    fields: Record


Deed = Question | Write | Change


@dataclass(frozen=True)
class Step:
    """What is done, and how many seconds after the beginning."""

    due: float
    deed: Deed


class Workload:
    """What is done to a store that begins in a state. The same table and state give the same steps."""

    def __init__(self, table: CacheTable, state: State) -> None:
        self._table = table
        self._random = random.Random(SEED)  # noqa: S311 -- the same steps each time, no secret
        # The newest first: that is what people work on, and what the first page shows.
        self._orders = newest_first(state.orders)
        self._shipped = [order for order in self._orders if order["order_shipments"]]
        self._products = list(state.products.values())
        self._folders = list(state.store["folders"].values())
        self._lists = [
            *(ask("orders_list", limit=PAGE, offset=PAGE * number) for number in range(3)),
            *(ask("orders_list", limit=PAGE, folder_name=name) for name in self._folders),
        ]
        self._product_lists = [
            *(ask("products_list", limit=PAGE, offset=offset) for offset in range(0, len(self._products), PAGE)),
            *(ask("products_list", limit=PAGE, search=word) for word in SEARCHES),
        ]

    def steps(self) -> list[Step]:
        """Everything, in the order of time."""
        table = self._table
        return list(
            heapq.merge(
                self._at_random(table.reads_per_second, self._question),
                self._at_random(table.writes_per_second, self._write),
                self._at_random(table.changes_per_second, self._change),
                key=lambda step: step.due,
            )
        )

    def _at_random(self, rate: float, make: Callable[[int], Deed]) -> Iterator[Step]:
        due, number = self._random.expovariate(rate), 0
        while due < self._table.warm_up_seconds + self._table.seconds:
            yield Step(due, make(number))
            due, number = due + self._random.expovariate(rate), number + 1

    def _popular(self, of: Sequence[T]) -> T:
        (chosen,) = self._random.choices(of, weights=[1 / rank for rank in range(1, len(of) + 1)])
        return chosen

    def _question(self, _: int) -> Question:
        (tool,) = self._random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        order, shipped = self._popular(self._orders), self._popular(self._shipped)
        item, shipment = order["order_items"][0], shipped["order_shipments"][0]
        source = {name: order[name] for name in ("source_id", "source_name")}
        others: dict[str, Callable[[], Question]] = {
            "orders_list": lambda: self._popular(self._lists),
            "orders_find": lambda: ask(tool, **source),
            "order_items_get": lambda: ask(tool, order_id=str(order["id"]), item_id=str(item["id"])),
            "shipments_get": lambda: ask(tool, order_id=str(shipped["id"]), shipment_id=str(shipment["id"])),
            "products_get": lambda: ask(tool, product_id=str(self._popular(self._products)["id"])),
            "products_list": lambda: self._popular(self._product_lists),
            "stores_settings": lambda: ask(tool),
            "stores_folders": lambda: ask(tool),
        }
        return others.get(tool, lambda: ask(tool, order_id=str(order["id"])))()

    def _write(self, number: int) -> Write:
        order, place = str(self._popular(self._orders)["id"]), self._popular(range(len(self._products)))
        product, folder = str(self._products[place]["id"]), self._random.choice(self._folders)
        read = ask("orders_get", order_id=order)
        return (
            Write(
                "orders_update",
                {"order_id": order, "changes": {"email": f"own-{number}@example.com"}},
                (read, self._lists[0]),
            ),
            Write(
                "products_adjust_stock",
                {"product_id": product, "by": 1, "reason": "count"},
                (ask("products_get", product_id=product), self._product_lists[place // PAGE]),
            ),
            Write(
                "shipments_add",
                {"order_id": order, "tracking_number": f"OWN-{number}"},
                (read, ask("shipments_list", order_id=order)),
            ),
            Write(
                "orders_move",
                {"order_ids": [order], "destination_folder_name": folder},
                (read, ask("orders_list", limit=PAGE, folder_name=folder)),
            ),
        )[number % 4]

    def _change(self, number: int) -> Change:
        order, product = (str(self._popular(of)["id"]) for of in (self._orders, self._products))
        edit = Change(f"/orders/{order}", "order", {"email": f"foreign-{number}@example.com"})
        stock = Change(f"/inventory-items/{product}", "inventory_item", {"stock": number})
        folder = self._random.choice(self._folders)
        return (
            edit,
            stock,
            Change(f"/orders/{order}/shipments", "", {"tracking_number": f"FOREIGN-{number}"}),
            stock,
            edit,
            Change("/move-orders", "", {"order_id_list": [order], "destination_folder_name": folder}),
        )[number % 6]

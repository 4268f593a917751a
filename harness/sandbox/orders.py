"""The orders of one store: the catalogue's, and over them those that were changed, created or deleted here.

Every write goes through `create`, `update`, `delete` or `add_history`, and each reports the change it applied.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

import orjson

from harness.sandbox.catalogue import Catalogue
from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record
from harness.sandbox.index import Index, OneOf, Selection, key, value_of
from harness.sandbox.journal import Change, change

MOST_HISTORY_ENTRIES = 250
MOST_DIGITS = 19
BODIES_KEPT = 4_000  # about 9 MB


class Orders:
    """Orders by id. `report` is called with every change, after it is applied."""

    def __init__(self, catalogue: Catalogue, report: Callable[[Change], None]) -> None:
        self._catalogue = catalogue
        self._report = report
        first, end = catalogue.first_order_id, catalogue.first_order_id + catalogue.orders
        dates = catalogue.order(catalogue.orders - 1)["date_added"] if catalogue.orders else ""
        self._index = Index(range(first, end), dates, self._values)
        self._new_ids = count(end)
        # As JSON: a tenth of the memory of the objects, and nobody can change an order by changing what `get` gave.
        self._written: dict[int, bytes] = {}
        self._catalogue_bodies: dict[int, bytes] = {}
        self._history: dict[int, list[Record]] = {}

    def body(self, order_id: str | int) -> bytes:
        """An order as JSON. Raises RefusedError (404) for one that is not there."""
        return self._body(self._known(order_id))

    def get(self, order_id: str | int) -> Record:
        """An order, as a copy of the caller's own. Raises RefusedError (404) for one that is not there."""
        found: Record = orjson.loads(self.body(order_id))
        return found

    def page(self, selection: Selection, *, offset: int, limit: int) -> tuple[int, Sequence[int]]:
        """How many orders match, and the ids of those on one page."""
        positions = self._index.select(selection)
        return len(positions), [self._index.ids[position] for position in positions[offset : offset + limit]]

    def with_source(self, source_name: str, source_id: str) -> Sequence[int]:
        """The ids of the orders that came from a source under one id."""
        named = (("source_id", source_id), ("source_name", source_name))
        filters = tuple(OneOf(field, frozenset([key(value)])) for field, value in named)
        return self.page(Selection(filters, "id"), offset=0, limit=1)[1]

    def new_id(self) -> int:
        """An id that no order of this store has had."""
        return next(self._new_ids)

    def create(self, order: Record) -> None:
        """Add an order under an id from `new_id`."""
        self._history[int(order["id"])] = []
        self._written[int(order["id"])] = orjson.dumps(order)
        self._index.added(order)
        self._report(change("order", None, order))

    def update(self, order: Record) -> None:
        """Put an order in the place of the one with its id. Raises RefusedError (404) when there is none."""
        before = self.get(order["id"])
        self._written[int(order["id"])] = orjson.dumps(order)
        self._index.changed(order)
        self._report(change("order", before, order))

    def delete(self, order_id: str | int) -> None:
        """Remove an order. Raises RefusedError (404) for one that is not there."""
        before, known = self.get(order_id), self._known(order_id)
        self._written.pop(known, None)
        self._history.pop(known, None)
        self._index.removed(known)
        self._report(change("order", before, None))

    def history(self, order_id: str | int) -> list[Record]:
        """What happened to an order, oldest first. Raises RefusedError (404) for one that is not there."""
        known = self._known(order_id)
        if known not in self._history:
            return self._catalogue.history(known - self._catalogue.first_order_id)
        return list(self._history[known])

    def add_history(self, order_id: str | int, entry: Record) -> None:
        """Append to an order's history. Raises RefusedError when it is full: OrderDesk keeps 250 entries per order."""
        entries = self.history(order_id)
        if len(entries) >= MOST_HISTORY_ENTRIES:
            raise RefusedError(f"An order may have at most {MOST_HISTORY_ENTRIES} history entries")
        self._history[self._known(order_id)] = [*entries, entry]
        self._report(change("order_history", None, {"id": order_id, **entry}))

    def _known(self, order_id: str | int) -> int:
        # Asked first because int() takes "1_0" and " 10 " too.
        number = int(order_id) if len(str(order_id)) < MOST_DIGITS and str(order_id).isdecimal() else -1
        if number not in self._index:
            raise RefusedError("Order Not Found", 404)
        return number

    def _body(self, order_id: int) -> bytes:
        body = self._written.get(order_id) or self._catalogue_bodies.get(order_id)
        if body is None:
            body = orjson.dumps(self._catalogue.order(order_id - self._catalogue.first_order_id))
            if len(self._catalogue_bodies) >= BODIES_KEPT:
                del self._catalogue_bodies[next(iter(self._catalogue_bodies))]
            self._catalogue_bodies[order_id] = body
        return body

    def _values(self, field: str, ids: Sequence[int]) -> Iterator[Any]:
        column, first = self._catalogue.column(field), self._catalogue.first_order_id
        for order_id in ids:
            if column is None or order_id in self._written:
                yield value_of(orjson.loads(self._body(order_id)), field)
            else:
                yield column[order_id - first]

"""An index over a store's orders: which of them a list call's filters match, and in which order."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.sandbox.fields import Record

# Paging through a list asks for the same selection again; each of 100,000 orders takes a megabyte.
SELECTIONS_KEPT = 8


@dataclass(frozen=True, slots=True)
class OneOf:
    """Orders whose field, as `key` sees it, is one of some values."""

    field: str
    values: frozenset[Any]


@dataclass(frozen=True, slots=True)
class Between:
    """Orders whose field is within two bounds, both included; None is no bound."""

    field: str
    low: str | None
    high: str | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a list call asks for, its page apart."""

    filters: tuple[OneOf | Between, ...] = ()
    order_by: str = "date_added"
    descending: bool = True


def key(value: Any) -> Any:
    """A field's value as it is compared: text regardless of case, which OrderDesk's pages leave open."""
    return value.casefold() if isinstance(value, str) else value


def value_of(order: Record, field: str) -> Any:
    """A field of an order, nested ones named as `customer.first_name`; an id is compared as a number."""
    outer, _, inner = field.partition(".")
    if field == "id":
        return int(order["id"])
    return order[outer][inner] if inner else order[outer]


class Index:
    """Positions of orders, which are kept in the order of their ids. `load(field, ids)` gives the values of a field.

    `newest_date` is the latest date_added among `ids`, whose dates must be in the same order as the ids themselves.
    """

    def __init__(
        self, ids: Iterable[int], newest_date: str, load: Callable[[str, Sequence[int]], Iterable[Any]]
    ) -> None:
        self.ids = list(ids)
        self._newest_date = newest_date
        self._load = load
        self._columns: dict[str, list[Any]] = {}
        self._selected: dict[Selection, Sequence[int]] = {}
        # Until an order is created by a wall clock that is behind the catalogue's last date.
        self._in_date_order = True

    def __contains__(self, order_id: int) -> bool:
        position = bisect_left(self.ids, order_id)
        return position < len(self.ids) and self.ids[position] == order_id

    def select(self, selection: Selection) -> Sequence[int]:
        """Positions of the orders that match, sorted; ties are in the order of ids, so pages never overlap."""
        if selection not in self._selected:
            if len(self._selected) == SELECTIONS_KEPT:
                self._selected.clear()
            self._selected[selection] = self._sort(self._match(selection), selection)
        return self._selected[selection]

    def changed(self, order: Record) -> None:
        """Take note of an order's new values."""
        position = bisect_left(self.ids, int(order["id"]))
        for field, column in self._columns.items():
            column[position] = key(value_of(order, field))
        self._selected.clear()

    def added(self, order: Record) -> None:
        """Take note of a new order, whose id is above all others."""
        self.ids.append(int(order["id"]))
        self._in_date_order = self._in_date_order and order["date_added"] >= self._newest_date
        self._newest_date = max(self._newest_date, order["date_added"])
        for field, column in self._columns.items():
            column.append(key(value_of(order, field)))
        self._selected.clear()

    def removed(self, order_id: int) -> None:
        """Forget an order."""
        position = bisect_left(self.ids, order_id)
        for column in (self.ids, *self._columns.values()):
            del column[position]
        self._selected.clear()

    def _column(self, field: str) -> list[Any]:
        if field not in self._columns:
            self._columns[field] = [key(value) for value in self._load(field, self.ids)]
        return self._columns[field]

    def _match(self, selection: Selection) -> Sequence[int]:
        positions: Sequence[int] = range(len(self.ids))
        for wanted in selection.filters:
            column = self._column(wanted.field)
            match wanted:
                case OneOf(_, values):
                    positions = [position for position in positions if column[position] in values]
                case Between(_, low, high):
                    positions = [
                        position
                        for position in positions
                        if (low is None or column[position] >= low) and (high is None or column[position] <= high)
                    ]
        return positions

    def _sort(self, positions: Sequence[int], selection: Selection) -> Sequence[int]:
        in_order = selection.order_by == "id" or (selection.order_by == "date_added" and self._in_date_order)
        if not in_order:
            # Stable, so equal values stay in the order of ids.
            positions = sorted(positions, key=self._column(selection.order_by).__getitem__)
        return positions[::-1] if selection.descending else positions

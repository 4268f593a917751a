"""The inventory items of one store. Every write reports the change it applied."""

from collections.abc import Callable, Iterable, Sequence
from itertools import count

from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record
from harness.sandbox.journal import Change, change


class Inventory:
    """Inventory items by id, oldest first. `report` is called with every change, after it is applied."""

    def __init__(self, items: Iterable[Record], report: Callable[[Change], None]) -> None:
        self._items = {str(item["id"]): item for item in items}
        self._report = report
        self._new_ids = count(max((int(item_id) for item_id in self._items), default=0) + 1)

    def get(self, item_id: str | int) -> Record:
        """An inventory item; not to be changed in place. Raises RefusedError (404) for one that is not there."""
        found = self._items.get(str(item_id))
        if found is None:
            raise RefusedError("Inventory Item Not Found", 404)
        return found

    def all(self) -> Sequence[Record]:
        """Every inventory item."""
        return list(self._items.values())

    def new_id(self) -> str:
        """An id that no inventory item of this store has had."""
        return str(next(self._new_ids))

    def create(self, item: Record) -> None:
        """Add an item under an id from `new_id`."""
        self._items[str(item["id"])] = item
        self._report(change("inventory_item", None, item))

    def update(self, item: Record) -> None:
        """Put an item in the place of the one with its id. Raises RefusedError (404) when there is none."""
        before = self.get(item["id"])
        self._items[str(item["id"])] = item
        self._report(change("inventory_item", before, item))

    def delete(self, item_id: str | int) -> None:
        """Remove an item. Raises RefusedError (404) for one that is not there."""
        before = self.get(item_id)
        del self._items[str(item_id)]
        self._report(change("inventory_item", before, None))

"""Another integration of the same store: it changes an order behind the client's back."""

from harness.sandbox.fields import mapping
from harness.sandbox.shapes import LONGEST_ORDER_METADATA
from harness.sandbox.store import Store

METADATA_KEY = "warehouse_sync"


def write_foreign(store: Store, order_id: str, *, now: str, value: int) -> None:
    """Set one metadata key of an order to `value`, and its date_updated to `now`.

    A client that puts back what it read before loses that value, which the journal then shows. Two writes within one
    second leave the same date_updated, as with OrderDesk. Raises RefusedError when the order is not there or full.
    """
    order = store.orders.get(order_id)
    sent = {"order_metadata": {**dict(order["order_metadata"]), METADATA_KEY: str(value)}}
    metadata = mapping(sent, "order_metadata", longest=LONGEST_ORDER_METADATA)
    store.orders.update({**order, "order_metadata": metadata, "date_updated": now})

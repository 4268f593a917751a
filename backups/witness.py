"""What the live service said before a snapshot began: what the restored one must say again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backups.errors import BackupError
from harness.client import Client
from harness.targets import LocalTarget

ORDERS = 20


@dataclass(frozen=True)
class Witness:
    """The live server's whole environment, a tenant's key, and what that tenant is answered.

    `stores` is the answer of stores_list, `order_ids` are orders of the active store, newest first.
    """

    environment: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)
    stores: Mapping[str, Any]
    order_ids: tuple[str, ...]


def hear(target: LocalTarget) -> Witness:
    """Ask the live server. Raises BackupError when its tenant has no store or no orders: nothing would be compared."""
    assert target.token is not None  # a local target's tenant was made with it
    with target.connect() as client:
        stores = _ask(client, "stores_list", {})
        orders = _ask(client, "orders_list", {"limit": ORDERS})["orders"]
    if not stores["stores"] or not orders:
        raise BackupError(f"the tenant has {len(stores['stores'])} stores and {len(orders)} orders: it needs both")
    return Witness(target.environment, target.token, stores, tuple(str(order["id"]) for order in orders))


def _ask(client: Client, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    outcome = client.call_tool(tool, arguments)
    if outcome.is_error or outcome.structured is None:
        raise BackupError(f"the live server's {tool} answered without a result: {outcome.text[:300]}")
    return outcome.structured

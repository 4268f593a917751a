"""For each tool a call that succeeds and is full of pieces, and what clients get wrong about it."""

from collections.abc import Callable
from typing import Any, TypeVar

from server.tools.declaration import Tool
from tests.integration.server.leaks.corpus import Hand
from tests.integration.server.leaks.scene import Arguments, Scene

T = TypeVar("T")
ABSENT = "999999999"
IDS = frozenset({"order_id", "item_id", "shipment_id", "product_id", "order_ids"})
NAMING = ("store_identifier", "identifier")
"""By these arguments a client names a store."""
OWN_IDS = frozenset({*NAMING, "source_id", "code", "tracking_number"})
"""What a client names something by, of which an error tells which of several it was: it may repeat these."""
MANNER = frozenset({"idempotency_key", "dry_run"})


def _changes(scene: Scene) -> Arguments:
    changes = scene.customer(scene.sent)
    return {name: changes[name] for name in ("email", "shipping", "cc_number_masked", "order_notes")}


def _new_order(scene: Scene) -> Arguments:
    item = {"name": scene.sent.draw("engraving"), "price": 2, "quantity": 1}
    return {
        "order_data": {
            **scene.customer(scene.sent),
            "source_id": scene.unique(scene.sent.draw("customer number")),
            "order_items": [item],
        }
    }


def _moved(scene: Scene) -> Arguments:
    order_id = scene.order()
    return {"order_ids": [ABSENT, order_id], "destination_folder_id": scene.folder(order_id)}


def _parcel(scene: Scene) -> Arguments:
    return {"tracking_number": scene.unique(scene.sent.draw("tracking number")), "carrier_code": scene.sent.any()[:200]}


def _note(scene: Scene, signed: str) -> Arguments:
    sent = scene.sent
    return {"order_id": scene.order(), "note": f"{sent.draw('order note')} {sent.any()}", signed: sent.draw("e-mail")}


def _item(scene: Scene) -> Arguments:
    return {"name": scene.sent.draw("engraving"), "metadata": {"for": scene.sent.any()}}


def _label(scene: Scene) -> str:
    return scene.shop.label


CALLS: dict[str, Callable[[Scene], Arguments]] = {
    "tenant_use_master_key": lambda scene: {"master_key": scene.shop.tenant.key},
    "stores_list": lambda _: {},
    "stores_register": lambda scene: scene.unregistered(),
    "stores_use_store": lambda scene: {"identifier": _label(scene)},
    "stores_delete": lambda scene: {"store_identifier": scene.second_store()},
    "stores_resolve": lambda scene: {"identifier": _label(scene)},
    "stores_test": lambda scene: {"store_identifier": _label(scene)},
    "stores_settings": lambda _: {},
    "stores_folders": lambda _: {},
    "orders_list": lambda scene: {
        "limit": 3,
        "email": scene.sent.draw("e-mail"),
        "customer_last_name": scene.sent.draw("last name"),
        "shipping_phone": scene.sent.draw("telephone"),
        "source_id": scene.sent.any(),
    },
    "orders_get": lambda scene: {"order_id": scene.order()},
    "orders_find": lambda scene: {"source_id": scene.sent.any()},
    "orders_update": lambda scene: {"order_id": scene.order(), "changes": _changes(scene)},
    "orders_create": _new_order,
    "orders_delete": lambda scene: {"order_id": scene.order()},
    "orders_move": _moved,
    "orders_add_note": lambda scene: _note(scene, "username"),
    "orders_add_history": lambda scene: _note(scene, "source_name"),
    "order_items_list": lambda scene: {"order_id": scene.order()},
    "order_items_get": lambda scene: scene.item(),
    "order_items_add": lambda scene: {"order_id": scene.order(), **_item(scene)},
    "order_items_update": lambda scene: {**scene.item(), "changes": _item(scene)},
    "order_items_delete": lambda scene: scene.item(),
    "shipments_list": lambda scene: {"order_id": scene.order()},
    "shipments_get": lambda scene: scene.shipment(),
    "shipments_add": lambda scene: {"order_id": scene.order(), **_parcel(scene)},
    "shipments_update": lambda scene: {**scene.shipment(), "changes": _parcel(scene)},
    "shipments_delete": lambda scene: scene.shipment(),
    "shipments_batch": lambda scene: {
        "shipments": [{"order_id": order_id, **_parcel(scene)} for order_id in (ABSENT, scene.order())]
    },
    "products_list": lambda scene: {"search": scene.sent.any()},
    "products_get": lambda scene: {"product_id": scene.product()},
    "products_create": lambda scene: {"name": scene.sent.draw("engraving"), "code": scene.unique(scene.sent.any())},
    "products_update": lambda scene: {"product_id": scene.product(), "changes": {"name": scene.sent.any()}},
    "products_delete": lambda scene: {"product_id": scene.product()},
    "products_batch_update": lambda scene: {
        "products": [
            {"product_id": product_id, "changes": {"name": scene.sent.any()}}
            for product_id in (ABSENT, scene.product())
        ]
    },
    "products_adjust_stock": lambda scene: {"product_id": scene.product(), "by": -1, "reason": scene.sent.any()},
}


def spoilt(arguments: Arguments, tool: Tool[Any], sent: Hand) -> list[Arguments]:
    """What a client gets wrong about a call, pieces always among the values: names, types, lengths, whole shapes."""
    free = [name for name in tool.arguments.model_fields if name not in {*NAMING, *MANNER}]
    naming = {name: sent.any() for name in NAMING if name in tool.arguments.model_fields}
    wrong: list[Arguments] = [
        {},
        {**arguments, **{f"{name}_x": sent.any() for name in free}, "e_mail": sent.any(), "note_to": sent.any()},
        {**arguments, **{name: sent.any() for name in free}},
        {**arguments, **{name: {"first_name": sent.any(), "last_name": [sent.any()]} for name in free}},
        {**arguments, **{name: [sent.any(), {"phone": sent.any()}] for name in free}},
        {**arguments, **{name: f"{sent.any()} {sent.any()} " * 100 for name in free}},
        {**arguments, "dry_run": sent.any(), "idempotency_key": [sent.any()]},
        {**arguments, **naming},
    ]
    if "changes" in arguments:
        changes = (
            {"email": [sent.any()], "phone_of": sent.any()},
            {"order_notes": sent.draw("order note") * 200},
            {"shipping": sent.any()},
            sent.any(),
        )
        wrong += [{**arguments, "changes": each} for each in changes]
    if "order_data" in arguments:
        parts: tuple[Any, ...] = (sent.any(), [], [sent.any()])
        wrong += [{"order_data": {**arguments["order_data"], "order_items": part}} for part in parts]
    return wrong


def elsewhere(value: T, wrong: str) -> T:
    """The same arguments about what is not there."""

    def replaced(name: str, part: Any) -> Any:
        if name in IDS:
            return [wrong] if isinstance(part, list) else wrong
        return elsewhere(part, wrong)

    if isinstance(value, dict):
        return {name: replaced(name, part) for name, part in value.items()}  # type: ignore[return-value]
    return [elsewhere(part, wrong) for part in value] if isinstance(value, list) else value  # type: ignore[return-value]


def may_repeat(arguments: Any) -> set[str]:
    """What an error may repeat of a call."""
    if isinstance(arguments, list):
        return {text for part in arguments for text in may_repeat(part)}
    if not isinstance(arguments, dict):
        return set()
    named = {str(value) for name, value in arguments.items() if name in OWN_IDS}
    return named | {text for value in arguments.values() for text in may_repeat(value)}

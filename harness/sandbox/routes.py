"""Every path of the API and the handler of each method: the ones OrderDesk documents, and no other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from harness.sandbox import inventory_api, orders_api, parts_api, store_api
from harness.sandbox.call import Call
from harness.sandbox.errors import RefusedError

Handler = Callable[[Call], bytes]

# Paths alternate a fixed word and an id, so the fixed words alone tell them apart together with their length.
HANDLERS: Mapping[str, Mapping[str, Handler]] = {
    "/test": {"GET": store_api.test_connection},
    "/store": {"GET": store_api.get_store},
    "/orders": {"GET": orders_api.list_orders, "POST": orders_api.create_order},
    "/orders/{id}": {
        "GET": orders_api.get_order,
        "PUT": orders_api.update_order,
        "DELETE": orders_api.delete_order,
    },
    "/orders/{id}/order-history": {"POST": orders_api.add_history},
    "/orders/{id}/order-items": {"GET": parts_api.list_items, "POST": parts_api.create_item},
    "/orders/{id}/order-items/{id}": {
        "GET": parts_api.get_item,
        "PUT": parts_api.update_item,
        "DELETE": parts_api.delete_item,
    },
    "/orders/{id}/shipments": {"GET": parts_api.list_shipments, "POST": parts_api.create_shipment},
    "/orders/{id}/shipments/{id}": {
        "GET": parts_api.get_shipment,
        "PUT": parts_api.update_shipment,
        "DELETE": parts_api.delete_shipment,
    },
    "/batch-shipments": {"POST": parts_api.batch_shipments},
    "/inventory-items": {
        "GET": inventory_api.list_inventory_items,
        "POST": inventory_api.create_inventory_item,
    },
    "/inventory-items/{id}": {
        "GET": inventory_api.get_inventory_item,
        "PUT": inventory_api.update_inventory_item,
        "DELETE": inventory_api.delete_inventory_item,
    },
    "/batch-inventory-items": {"PUT": inventory_api.batch_inventory_items},
    "/move-orders": {"POST": orders_api.move_orders},
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes: the path with its ids left out (blank for an unknown one), the handler, and the ids."""

    template: str
    handler: Handler
    ids: tuple[str, ...]


def find(method: str, path: str) -> Route:
    """The route of a method and a path below the API's base; that of an unknown one refuses (404, or 405 as PATCH)."""
    segments = path.removeprefix("/").split("/")
    template = "/" + "/".join("{id}" if place % 2 else segment for place, segment in enumerate(segments))
    handlers = HANDLERS.get(template)
    if handlers is None:
        return Route("", _not_found, ())
    return Route(template, handlers.get(method, _method_not_allowed), tuple(segments[1::2]))


def _not_found(_: Call) -> NoReturn:
    raise RefusedError("Not Found", 404)


def _method_not_allowed(_: Call) -> NoReturn:
    raise RefusedError("Method Not Allowed", 405)

"""A shop whose customers, and whoever calls for it, are made of pieces of the corpus; whatever is asked for is new."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.sandbox.client import SandboxClient
from harness.sandbox.faults import Fault
from tests.integration.server.bench import Bench, Shop
from tests.integration.server.leaks.corpus import STORE_NAME, Hand

Arguments = dict[str, Any]
Answering = Callable[[str, Arguments], dict[str, Any]]
"""Calls a tool in some way; returns its structured content."""
METADATA = 4
"""Pieces in an order's metadata, which holds 2,000 characters."""


class Troubles:
    """What goes wrong at the sandbox for each of several shops, which know nothing of each other."""

    def __init__(self, control: SandboxClient) -> None:
        self._control = control
        self._lock = threading.Lock()
        self._faults: dict[str, tuple[Fault, ...]] = {}

    def use(self, shop: Shop, *faults: Fault) -> None:
        """Let these faults, which concern the shop alone, be all that goes wrong for it."""
        with self._lock:
            self._faults[shop.account.store_id] = faults
            self._control.set_faults(*(fault for each in self._faults.values() for fault in each))


@dataclass(frozen=True)
class Scene:
    """A shop with a server. `held` is what OrderDesk has of its customers, `sent` what clients send for it."""

    bench: Bench
    shop: Shop
    held: Hand
    sent: Hand
    troubles: Troubles
    call: Answering = field(default=lambda _tool, _arguments: {})
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Ask the sandbox itself."""
        answer: dict[str, Any] = self.bench.upstream.request(self.shop.account, method, path, body)
        assert answer["status"] == "success", answer
        return answer

    def person(self, hand: Hand) -> Arguments:
        """An address of somebody."""
        return {
            "first_name": hand.draw("first name"),
            "last_name": hand.draw("last name"),
            "company": hand.draw("company"),
            "address1": hand.draw("address"),
            "address2": hand.draw("identity card"),
            "city": hand.draw("city"),
            "phone": hand.draw("telephone"),
        }

    def customer(self, hand: Hand) -> Arguments:
        """All that an order says of who ordered it."""
        return {
            "email": hand.draw("e-mail"),
            "ip_address": hand.draw("IPv6 address"),
            "cc_number_masked": hand.draw("card number"),
            "processor_response": hand.draw("IBAN"),
            "customer_id": hand.draw("customer number"),
            "customer": self.person(hand),
            "shipping": self.person(hand),
            "checkout_data": {"remark": hand.any()},
            "order_metadata": {f"answer_{number}": hand.any() for number in range(METADATA)},
            "order_notes": [{"username": hand.draw("first name"), "content": hand.draw("order note")}],
        }

    def order(self) -> str:
        """The id of an order at the sandbox."""
        held = self.held
        item = {"name": held.draw("engraving"), "price": 3, "quantity": 1, "variation_list": {"for": held.any()}}
        body = {**self.customer(held), "source_name": "Phone", "order_items": [item]}
        order_id = str(self.put("POST", "/orders", body)["order"]["id"])
        parcel = {"tracking_number": held.draw("tracking number"), "carrier_code": "UPS"}
        self.put("POST", f"/orders/{order_id}/shipments", parcel)
        return order_id

    def item(self) -> Arguments:
        """Where an item is."""
        order_id = self.order()
        return {"order_id": order_id, "item_id": str(self.look(order_id)["order_items"][0]["id"])}

    def shipment(self) -> Arguments:
        """Where a shipment is."""
        order_id = self.order()
        return {"order_id": order_id, "shipment_id": str(self.look(order_id)["order_shipments"][0]["id"])}

    def product(self) -> str:
        """The id of a product."""
        code = self.unique(self.held.any())
        body = {"name": self.held.draw("engraving"), "code": code, "price": 3, "stock": 50}
        return str(self.put("POST", "/inventory-items", body)["inventory_item"]["id"])

    def second_store(self) -> str:
        """A store that the shop's tenant has just registered."""
        store = self.unregistered()
        assert "error" not in self.call("stores_register", store)
        return str(store["store_id"])

    def unregistered(self) -> Arguments:
        """A store to register."""
        key, name = self.sent.draw("OrderDesk API key"), self.sent.draw(STORE_NAME)
        return {"store_id": f"9{self.shop.account.store_id}{next(self.numbers)}", "api_key": key, "store_name": name}

    def unique(self, piece: str) -> str:
        """A text that holds the piece, and is new."""
        return f"{piece} {next(self.numbers)}"

    def folder(self, order_id: str) -> str:
        """The id of a folder that the order is not in."""
        here = str(self.look(order_id)["folder_id"])
        return next(number for number in self._folders if number != here)

    def look(self, order_id: str) -> dict[str, Any]:
        """An order as the sandbox holds it."""
        return self.bench.upstream.order(self.shop.account, order_id)

    @cached_property
    def _folders(self) -> list[str]:
        return list(self.bench.upstream.request(self.shop.account, "GET", "/store")["store"]["folders"])

"""An order whose every personal field holds a text found nowhere else, and for each tool a call that would spread it.

What OrderDesk holds of a customer and what a client sends are told apart: an error never tells the first, and of the
second repeats only what names something, such as a store.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from tests.integration.server.bench import Bench, Shop

Arguments = dict[str, Any]
Answering = Callable[[str, Arguments], dict[str, Any]]
"""Calls a tool in some way; returns its structured content."""

T = TypeVar("T")

PERSON = {
    "first_name": "Zanthoria",
    "last_name": "Quillfeather",
    "company": "Brambleton-Oakes",
    "address1": "17 Pumpernickel Row",
    "address2": "Attic of Vespertine",
    "city": "Wexmorehaven",
    "postal_code": "QX7 3ZJ",
    "phone": "+44 7700 900461",
}
RECIPIENT = {name: f"{value[:-3]}ovo" for name, value in PERSON.items()} | {"phone": "+44 7700 900462"}
PAID = {
    "email": "zanthoria@quillfeather.example",
    "ip_address": "203.0.113.77",
    "cc_number_masked": "XXXXXXXXXXXX7391",
    "cc_exp": "13/2077",
    "processor_response": "AVS-Zircon-55172",
    "customer_id": "cust-zirconia",
}
NOTE = "Rings the Umberthwaite bell"
METADATA = "engraved Forgetmenotly"
CHECKOUT = "gift for Tantivy"
ITEM_NAME = "Monogram Cup ZQ-Larkspur"
VARIATION = "Initials Zedquill"
TRACKING = "9400ZQ1200881234567"
# What OrderDesk holds.
HELD = (*PERSON.values(), *RECIPIENT.values(), *PAID.values(), NOTE, METADATA, CHECKOUT, ITEM_NAME, VARIATION, TRACKING)
# What a client sends as somebody's data, and what it names something by.
SENT = (
    *("Marmaduke", "Pettifogger", "marmaduke@pettifogger.example", "5 Gooseberry Mews", "+44 7700 900999"),
    *("Speaks only Volapuekish", "1Z-Pettifog-42", "XXXXXXXXXXXX8402", "Pettifoggers Mug"),
)
FIRST, LAST, EMAIL, ADDRESS, PHONE, SAID, PARCEL, CARD, MUG = SENT
STORE_NAMED = "nobody@gallimaufry.example"
ID_NAMED = "Peregrine-Gallimaufry"
OWN_ID = "gumption@peregrine.example"
KEY = "key-of-ethelred@wobblechops.example"
ALL = (*HELD, *SENT, STORE_NAMED, ID_NAMED, OWN_ID, "wobblechops")

ABSENT = "999999999"
IDS = frozenset({"order_id", "item_id", "shipment_id", "product_id", "order_ids"})
WORDS = (*PERSON.values(), *PAID.values(), NOTE, TRACKING)
# What OrderDesk may say of a customer.
ECHO = " ".join(["Order of", *WORDS, "already exists for", *SENT, *RECIPIENT.values()])


def leaks(places: Mapping[str, str], canaries: tuple[str, ...] = ALL) -> list[str]:
    """Each canary found, and where."""
    return [f"{canary!r} in {place}" for place, text in places.items() for canary in canaries if canary in text]


@dataclass(frozen=True)
class Scene:
    """A shop with a server, what its customers have at the sandbox, and how its tools are called.

    Whatever is asked for is new.
    """

    bench: Bench
    shop: Shop
    call: Answering = lambda _tool, _arguments: {}

    def put(self, method: str, path: str, body: object) -> dict[str, Any]:
        """Ask the sandbox itself."""
        answer: dict[str, Any] = self.bench.upstream.request(self.shop.account, method, path, body)
        assert answer["status"] == "success", answer
        return answer

    def order(self) -> str:
        """An order full of canaries."""
        created = self.put(
            "POST",
            "/orders",
            {
                **PAID,
                "source_name": "Phone",
                "customer": PERSON,
                "shipping": RECIPIENT,
                "order_metadata": {"engraving": METADATA},
                "checkout_data": {"remark": CHECKOUT},
                "order_notes": [{"username": "Zanthoria", "content": NOTE}],
                "order_items": [{"name": ITEM_NAME, "price": 3, "quantity": 1, "variation_list": {"a": VARIATION}}],
            },
        )["order"]
        order_id = str(created["id"])
        self.put("POST", f"/orders/{order_id}/shipments", {"tracking_number": TRACKING, "carrier_code": "UPS"})
        return order_id

    def item(self) -> Arguments:
        order_id = self.order()
        return {"order_id": order_id, "item_id": str(self._held(order_id)["order_items"][0]["id"])}

    def shipment(self) -> Arguments:
        order_id = self.order()
        return {"order_id": order_id, "shipment_id": str(self._held(order_id)["order_shipments"][0]["id"])}

    def product(self) -> str:
        body = {"name": ITEM_NAME, "code": f"{VARIATION} {secrets.token_hex(4)}", "price": 3, "stock": 50}
        return str(self.put("POST", "/inventory-items", body)["inventory_item"]["id"])

    def second_store(self) -> str:
        store = _registered(self)
        assert "error" not in self.call("stores_register", store)
        return str(store["store_id"])

    def folder(self, order_id: str) -> str:
        here = str(self._held(order_id)["folder_id"])
        return next(number for number in self._folders if number != here)

    @cached_property
    def _folders(self) -> list[str]:
        return list(self.bench.upstream.request(self.shop.account, "GET", "/store")["store"]["folders"])

    def _held(self, order_id: str) -> dict[str, Any]:
        return self.bench.upstream.order(self.shop.account, order_id)


def _changes(_scene: Scene) -> Arguments:
    return {
        "email": EMAIL,
        "shipping": {"first_name": FIRST, "last_name": LAST, "address1": ADDRESS, "phone": PHONE},
        "cc_number_masked": CARD,
        "order_notes": [SAID],
    }


def _new_order(_scene: Scene) -> Arguments:
    person = {"first_name": FIRST, "last_name": LAST, "address1": ADDRESS, "phone": PHONE}
    source_id = f"{OWN_ID} {secrets.token_hex(4)}"
    items = [{"name": MUG, "price": 2, "quantity": 1}]
    return {"order_data": {"source_id": source_id, "email": EMAIL, "customer": person, "order_items": items}}


def _moved(scene: Scene) -> Arguments:
    order_id = scene.order()
    return {"order_ids": [ABSENT, order_id], "destination_folder_id": scene.folder(order_id)}


def _parcel(number: str = PARCEL) -> Arguments:
    return {"tracking_number": f"{number}-{secrets.token_hex(4)}", "carrier_code": "UPS"}


def _registered(_scene: Scene) -> Arguments:
    return {"store_id": f"9{secrets.randbelow(10**8)}", "api_key": secrets.token_hex(8), "store_name": "Second"}


def _label(scene: Scene) -> str:
    return scene.shop.label


# A call of each tool that succeeds.
CALLS: dict[str, Callable[[Scene], Arguments]] = {
    "tenant_use_master_key": lambda scene: {"master_key": scene.shop.tenant.key},
    "stores_list": lambda _: {},
    "stores_register": _registered,
    "stores_use_store": lambda scene: {"identifier": _label(scene)},
    "stores_delete": lambda scene: {"store_identifier": scene.second_store()},
    "stores_resolve": lambda scene: {"identifier": _label(scene)},
    "stores_test": lambda scene: {"store_identifier": _label(scene)},
    "stores_settings": lambda _: {},
    "stores_folders": lambda _: {},
    "orders_list": lambda _: {
        "limit": 3, "email": PAID["email"], "customer_last_name": PERSON["last_name"], "shipping_phone": PHONE
    },
    "orders_get": lambda scene: {"order_id": scene.order()},
    "orders_find": lambda _: {"source_id": EMAIL},
    "orders_update": lambda scene: {"order_id": scene.order(), "changes": _changes(scene)},
    "orders_create": _new_order,
    "orders_delete": lambda scene: {"order_id": scene.order()},
    "orders_move": _moved,
    "orders_add_note": lambda scene: {"order_id": scene.order(), "note": SAID, "username": FIRST},
    "orders_add_history": lambda scene: {"order_id": scene.order(), "note": SAID, "source_name": FIRST},
    "order_items_list": lambda scene: {"order_id": scene.order()},
    "order_items_get": lambda scene: scene.item(),
    "order_items_add": lambda scene: {"order_id": scene.order(), "name": MUG, "metadata": {"for": FIRST}},
    "order_items_update": lambda scene: {**scene.item(), "changes": {"name": MUG, "metadata": {"for": FIRST}}},
    "order_items_delete": lambda scene: scene.item(),
    "shipments_list": lambda scene: {"order_id": scene.order()},
    "shipments_get": lambda scene: scene.shipment(),
    "shipments_add": lambda scene: {"order_id": scene.order(), **_parcel()},
    "shipments_update": lambda scene: {**scene.shipment(), "changes": _parcel()},
    "shipments_delete": lambda scene: scene.shipment(),
    "shipments_batch": lambda scene: {
        "shipments": [{"order_id": order_id, **_parcel(OWN_ID)} for order_id in (ABSENT, scene.order())]
    },
    "products_list": lambda _: {"search": EMAIL},
    "products_get": lambda scene: {"product_id": scene.product()},
    "products_create": lambda _: {"name": MUG, "code": f"{OWN_ID} {secrets.token_hex(4)}"},
    "products_update": lambda scene: {"product_id": scene.product(), "changes": {"name": MUG}},
    "products_delete": lambda scene: {"product_id": scene.product()},
    "products_batch_update": lambda scene: {
        "products": [
            {"product_id": ABSENT, "changes": {"name": MUG}},
            {"product_id": scene.product(), "changes": {"name": MUG}},
        ]
    },
    "products_adjust_stock": lambda scene: {"product_id": scene.product(), "by": -1, "reason": SAID},
}  # fmt: skip


def spoilt(arguments: Arguments, properties: Mapping[str, Any]) -> list[Arguments]:
    """What a client gets wrong about a call, a customer's data always among the values."""
    naming = {name: STORE_NAMED for name in ("store_identifier", "identifier") if name in properties}
    free = [name for name in properties if name not in {*naming, "idempotency_key", "dry_run"}]
    wrong: list[Arguments] = [
        {},
        {**arguments, **{f"{name}_x": EMAIL for name in free}, "e_mail": EMAIL, "note_to": SAID},
        {**arguments, **dict.fromkeys(free, EMAIL)},
        {**arguments, **{name: {"first_name": FIRST, "last_name": [LAST]} for name in free}},
        {**arguments, **{name: [ADDRESS, {"phone": PHONE}] for name in free}},
        {**arguments, **dict.fromkeys(free, f"{SAID} {CARD} " * 200)},
        {**arguments, "dry_run": EMAIL, "idempotency_key": [EMAIL]},
        {**arguments, **naming},
    ]
    if "changes" in arguments:
        changes = ({"email": [EMAIL], "phone_of": PHONE}, {"order_notes": SAID * 200}, {"shipping": ADDRESS}, EMAIL)
        wrong += [{**arguments, "changes": each} for each in changes]
    if "order_data" in arguments:
        wrong += [{"order_data": {**arguments["order_data"], "order_items": part}} for part in (EMAIL, [], [EMAIL])]
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

"""The kinds of object that OrderDesk keeps: where each lives in its API, and what may be changed in it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from server.orderdesk.rules import Rules


@dataclass(frozen=True)
class Kind:
    """A kind of object. `collection` and `template` are its paths, `member` holds it in OrderDesk's answers.

    `title` begins the messages about it, as in "Order 100042 updated successfully".
    """

    title: str
    member: str
    collection: str
    template: str
    rules: Rules


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of a kind: the ids that fill its template, the order's first where it is a part of one."""

    kind: Kind
    ids: tuple[str, ...]

    @property
    def id(self) -> str:
        """The object's own id."""
        return self.ids[-1]

    @property
    def name(self) -> str:
        """What a dry run calls it, as in "Order 100042" or "Item 7001 of order 100042"."""
        whole = f" of order {self.ids[0]}" if len(self.ids) > 1 else ""
        return f"{self.kind.title} {self.id}{whole}"

    @property
    def target(self) -> str:
        """What audit rows call it."""
        return "/".join(self.ids)

    @property
    def named(self) -> dict[str, str]:
        """Its ids as arguments and error details name them; without the id that an object to come has not got yet."""
        names = ("order_id", f"{self.kind.title.lower()}_id")[-len(self.ids) :]
        return {name: given for name, given in zip(names, self.ids, strict=True) if given}

    @property
    def lock(self) -> Hashable:
        """What is held while it is written: an order covers its parts."""
        return self.kind.collection.split("/", 2)[1], self.ids[0]


COMPUTED: Final = "is computed by OrderDesk"
GIVEN: Final = {
    "id": "is given by OrderDesk",
    "date_added": "is kept by OrderDesk",
    "date_updated": "is kept by OrderDesk",
}

PERSON: Final = Rules(
    "an address",
    writable=frozenset(
        {
            "first_name", "last_name", "company", "address1", "address2", "address3", "address4", "city", "state",
            "postal_code", "country", "phone",
        }
    ),
)  # fmt: skip
SENDER: Final = Rules(
    "a return address",
    writable=frozenset(
        {
            "title", "name", "company", "address1", "address2", "city", "state", "postal_code", "country", "phone",
        }
    ),
)  # fmt: skip
DISCOUNT: Final = Rules("a discount", writable=frozenset({"name", "code", "amount"}), numbers=frozenset({"amount"}))

ITEM: Final = Kind(
    "Item",
    "order_item",
    "/orders/{id}/order-items",
    "/orders/{id}/order-items/{id}",
    Rules(
        "an order item",
        writable=frozenset(
            {
                "name", "price", "quantity", "weight", "code", "delivery_type", "category_code", "variation_list",
                "metadata",
            }
        ),
        read_only=GIVEN,
        numbers=frozenset({"price", "quantity", "weight"}),
        maps=frozenset({"variation_list", "metadata"}),
        free_form=frozenset({"variation_list", "metadata"}),
        defaults={"delivery_type": "ship"},
    ),
)  # fmt: skip
ORDER: Final = Kind(
    "Order",
    "order",
    "/orders",
    "/orders/{id}",
    Rules(
        "an order",
        writable=frozenset(
            {
                "email", "shipping_method", "shipping_total", "handling_total", "tax_total", "refund_total",
                "cc_number_masked", "cc_exp", "processor_response", "payment_type", "payment_status",
                "processor_balance", "customer_id", "ip_address", "source_name", "source_id",
                "fulfillment_name", "fulfillment_id", "shipping", "customer", "return_address",
                "checkout_data", "order_metadata", "discount_list", "order_notes", "order_items", "tag_name",
                "tag_color",
            }
        ),
        read_only=GIVEN
        | dict.fromkeys(("quantity_total", "weight_total", "product_total", "discount_total", "order_total"), COMPUTED)
        | {
            "order_shipments": "cannot be changed through an order; see the shipments tools",
            "folder_id": "is changed with orders_move, which runs the folder's rules",
            "email_count": "is counted by OrderDesk",
        },
        numbers=frozenset({"shipping_total", "handling_total", "tax_total", "refund_total", "processor_balance"}),
        lists=frozenset({"order_items", "discount_list", "order_notes"}),
        maps=frozenset({"shipping", "customer", "return_address", "checkout_data", "order_metadata"}),
        free_form=frozenset({"checkout_data", "order_metadata"}),
        limits={"checkout_data": 3_500, "order_metadata": 2_000},
        parts={
            "shipping": PERSON,
            "customer": PERSON,
            "return_address": SENDER,
            "order_items": ITEM.rules,
            "discount_list": DISCOUNT,
        },
        needed={"source_id": "cannot be emptied: OrderDesk puts its own id in its place; give another"},
    ),
)  # fmt: skip
SHIPMENT: Final = Kind(
    "Shipment",
    "shipment",
    "/orders/{id}/shipments",
    "/orders/{id}/shipments/{id}",
    Rules(
        "a shipment",
        writable=frozenset({"tracking_number", "carrier_code", "shipment_method", "tracking_url", "weight", "cost"}),
        read_only=GIVEN | {"order_id": "is the order that it belongs to"},
        numbers=frozenset({"weight", "cost"}),
        needed={"tracking_number": 'cannot be emptied; "n/a" stands for a parcel without a number'},
    ),
)
PRODUCT: Final = Kind(
    "Product",
    "inventory_item",
    "/inventory-items",
    "/inventory-items/{id}",
    Rules(
        "a product",
        writable=frozenset(
            {
                "name", "code", "price", "cost", "weight", "stock", "location", "update_source", "metadata",
                "variation_list", "manufacturer_sku",
            }
        ),
        read_only=GIVEN,
        numbers=frozenset({"price", "cost", "weight", "stock"}),
        needed=dict.fromkeys(("name", "code"), "cannot be emptied: every product has one; give another"),
        maps=frozenset({"variation_list", "metadata"}),
        free_form=frozenset({"variation_list", "metadata"}),
    ),
)  # fmt: skip

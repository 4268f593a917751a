"""The shape of an order and its parts, and how a client's whole-object body becomes one.

One rule serves creating and updating: "You must pass the entire order as any parts left out will be updated as blank"
(OrderDesk, Update an Order). Only what the caller of `order` passes as `kept` survives.
"""

from collections.abc import Callable, Mapping
from typing import Any

from harness.sandbox.errors import RefusedError
from harness.sandbox.fields import Record, mapping, number, records, require_length, text

ADDRESS = (
    *("first_name", "last_name", "company", "address1", "address2", "address3", "address4"),
    *("city", "state", "postal_code", "country", "phone"),
)
RETURN_ADDRESS = (
    *("title", "name", "company", "address1", "address2", "city", "state", "postal_code", "country", "phone"),
)
TEXTS_BEFORE_TOTALS = ("email", "shipping_method")
MONEY = ("shipping_total", "handling_total", "tax_total", "refund_total", "processor_balance")
TEXTS = (
    *("cc_number_masked", "cc_exp", "processor_response", "payment_type", "payment_status", "customer_id"),
    *("ip_address", "source_name", "fulfillment_name", "fulfillment_id"),
)
TAGS = ("tag_color", "tag_name")
DELIVERY_TYPES = ("ship", "noship", "download", "future")
LONGEST_CHECKOUT_DATA = 3_500
LONGEST_ORDER_METADATA = 2_000
LONGEST_ORDER_NOTES = 2_000
NO_TRACKING_NUMBER = "n/a"


def order(body: Mapping[str, Any], *, kept: Record, now: str, next_item_id: Callable[[], int]) -> Record:
    """The order that a body describes, totals computed, everything the body leaves out blank.

    `kept` is what a body cannot set: id, folder_id, email_count, date_added, order_items (those whose ids the body may
    name) and order_shipments. Items without an id get one. Raises RefusedError for a value of the wrong kind or length,
    and for an item id that `kept` does not have.
    """
    unclaimed = {str(entry["id"]): entry["id"] for entry in kept["order_items"]}
    items = []
    for sent in records(body, "order_items"):
        named = sent.get("id")
        if named and str(named) not in unclaimed:
            raise RefusedError(f"Order item {named} is not in this order")
        items.append(item(sent, unclaimed.pop(str(named)) if named else str(next_item_id())))
    shaped: Record = {
        "id": kept["id"],
        **{name: text(body, name) for name in TEXTS_BEFORE_TOTALS},
        **{name: number(body, name) for name in MONEY},
        **{name: text(body, name) for name in (*TEXTS, *TAGS, *_other_tags(body))},
        # "Your order ID. If blank, Order Desk's internal ID will be used." (Create an Order)
        "source_id": text(body, "source_id") or str(kept["id"]),
        "email_count": kept["email_count"],
        "folder_id": kept["folder_id"],
        "date_added": kept["date_added"],
        "date_updated": now,
        "shipping": _address(body, "shipping", ADDRESS),
        "customer": _address(body, "customer", ADDRESS),
        "return_address": _address(body, "return_address", RETURN_ADDRESS) if body.get("return_address") else [],
        "checkout_data": mapping(body, "checkout_data", longest=LONGEST_CHECKOUT_DATA),
        "order_metadata": mapping(body, "order_metadata", longest=LONGEST_ORDER_METADATA),
        "discount_list": [_discount(entry) for entry in records(body, "discount_list")],
        "order_notes": notes(body, now),
        "order_items": items,
        "order_shipments": kept["order_shipments"],
    }
    return with_totals(shaped)


def with_totals(shaped: Record) -> Record:
    """The same order with the totals OrderDesk computes itself: a client cannot set them."""
    items = shaped["order_items"]
    product_total = round(sum(entry["price"] * entry["quantity"] for entry in items), 2)
    discount_total = round(sum(entry["amount"] for entry in shaped["discount_list"]), 2)
    charges = sum(shaped[name] for name in ("shipping_total", "handling_total", "tax_total"))
    return {
        **shaped,
        "quantity_total": sum(entry["quantity"] for entry in items),
        "weight_total": round(sum(entry["weight"] * entry["quantity"] for entry in items), 3),
        "product_total": product_total,
        "discount_total": discount_total,
        "order_total": round(product_total + charges - discount_total, 2),
    }


def item(body: Mapping[str, Any], item_id: str | int) -> Record:
    """An order item from its whole body. Raises RefusedError for a value of the wrong kind."""
    delivery_type = text(body, "delivery_type") or "ship"
    if delivery_type not in DELIVERY_TYPES:
        raise RefusedError(f"delivery_type must be one of {', '.join(DELIVERY_TYPES)}")
    return {
        "id": item_id,
        "name": text(body, "name"),
        "price": number(body, "price"),
        "quantity": number(body, "quantity"),
        "weight": number(body, "weight"),
        "code": text(body, "code"),
        "delivery_type": delivery_type,
        "category_code": text(body, "category_code"),
        "variation_list": mapping(body, "variation_list"),
        "metadata": mapping(body, "metadata"),
    }


def shipment(body: Mapping[str, Any], *, shipment_id: int, order_id: str | int, date_added: str) -> Record:
    """A shipment from its whole body. Raises RefusedError without a tracking number ("n/a" is one)."""
    tracking_number = text(body, "tracking_number")
    if not tracking_number:
        raise RefusedError("tracking_number is required")
    return {
        "id": shipment_id,
        "order_id": str(order_id),
        "tracking_number": tracking_number,
        "carrier_code": text(body, "carrier_code"),
        "shipment_method": text(body, "shipment_method"),
        "tracking_url": text(body, "tracking_url"),
        "weight": number(body, "weight"),
        "cost": number(body, "cost"),
        "date_added": date_added,
    }


def inventory_item(body: Mapping[str, Any], *, item_id: str | int, now: str) -> Record:
    """An inventory item from its whole body. Raises RefusedError without a name or a code."""
    for name in ("name", "code"):
        if not text(body, name):
            raise RefusedError(f"{name} is required")
    return {
        "id": item_id,
        "name": text(body, "name"),
        "code": text(body, "code"),
        "price": number(body, "price"),
        "cost": number(body, "cost"),
        "weight": number(body, "weight"),
        "stock": number(body, "stock"),
        "location": text(body, "location"),
        "update_source": text(body, "update_source"),
        "manufacturer_sku": text(body, "manufacturer_sku"),
        "variation_list": mapping(body, "variation_list"),
        "metadata": mapping(body, "metadata"),
        "date_updated": now,
    }


def notes(body: Mapping[str, Any], now: str) -> list[Record]:
    """An order's notes; one without a date is dated now. Raises RefusedError past 2,000 characters, names included."""
    shaped = [
        {
            "date_added": text(entry, "date_added") or now,
            "username": text(entry, "username"),
            "content": text(entry, "content"),
        }
        for entry in records(body, "order_notes")
    ]
    require_length("order_notes", shaped, LONGEST_ORDER_NOTES)
    return shaped


def _address(body: Mapping[str, Any], name: str, parts: tuple[str, ...]) -> Record:
    given = body.get(name) or {}
    if not isinstance(given, dict):
        raise RefusedError(f"Invalid {name}")
    return {part: text(given, part) for part in parts}


def _discount(body: Mapping[str, Any]) -> Record:
    return {"name": text(body, "name"), "code": text(body, "code"), "amount": number(body, "amount")}


def _other_tags(body: Mapping[str, Any]) -> list[str]:
    return [name for name in body if name.startswith("tag_") and name not in TAGS]

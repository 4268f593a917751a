"""The catalogue: orders, histories and products made from (seed, store, number) alone when they are asked for.

Nothing is stored, so 100,000 orders cost no start-up time and no memory, and the same seed gives the same bytes.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from harness.sandbox import shapes
from harness.sandbox import vocabulary as words
from harness.sandbox.clock import date_text
from harness.sandbox.dice import Dice
from harness.sandbox.fields import Record

PRODUCTS = len(words.MATERIALS) * len(words.THINGS)
# Some ordered products are not kept in inventory: drop-shipped or discontinued.
INVENTORY_ITEMS = 100
MOST_ITEMS = 5
ORDERS_PER_CUSTOMER = 3
# Ids of one store never occur in another, so an id that leaks between stores is recognised.
IDS_PER_STORE = 100_000_000
FIRST_ORDER_ID = 10_000_000
LAST_DATE = 1_793_404_800  # 2026-10-31 00:00:00 UTC
SPAN_SECONDS = 540 * 86_400
UPDATED_WITHIN_SECONDS = 3 * 86_400


class Catalogue:
    """What store number `store` of a sandbox holds before anybody changes it: `orders` orders, oldest first.

    Six numbers an order are drawn at once (0.4 s for 100,000) because lists filter and sort on what follows from them.
    """

    def __init__(self, seed: int, store: int, orders: int) -> None:
        self.seed, self.store, self.orders = seed, store, orders
        self.first_order_id = store * IDS_PER_STORE + FIRST_ORDER_ID
        # Above every id that the catalogue gives an item or a shipment.
        self.first_part_id = self.first_order_id + (orders + 1) * 2 * MOST_ITEMS
        self.first_folder_id = 21_000 + store * 100
        self.folders = {self.first_folder_id + place: name for place, name in enumerate(words.FOLDERS)}
        self._products = [self._product(number) for number in range(PRODUCTS)]
        self._customers, self._recipients, self._sources, self._folders, self._added, self._updated = (
            array("q", column) for column in (zip(*map(self._draw, range(orders)), strict=True) if orders else [()] * 6)
        )

    def column(self, field: str) -> list[Any] | None:
        """One field of every order, nested ones named as `customer.first_name`; None for one that is not indexed."""
        if field in {"email", "customer_id"}:
            return self._people(field.removeprefix("customer_"), self._customers)
        if field in {"date_added", "date_updated"}:
            return list(map(date_text, self._added if field == "date_added" else self._updated))
        if field in {"source_name", "source_id"}:
            value = self._source_name if field == "source_name" else self._source_id
            return list(map(value, range(self.orders)))
        person, _, part = field.partition(".")
        if part in shapes.ADDRESS:
            return self._people(part, self._customers if person == "customer" else self._recipients)
        return list(self._folders) if field == "folder_id" else None

    def order(self, number: int) -> Record:
        """Order number 0 to `orders` - 1, as `GET /orders/{id}` shows it before anybody changes it."""
        dice = self._dice("order", number)
        customer = recipient = self._customer(self._customers[number])
        if self._recipients[number] != self._customers[number]:
            recipient = self._customer(self._recipients[number])
        order_id = _mixed_id(self.first_order_id + number)
        date_added, date_updated = date_text(self._added[number]), date_text(self._updated[number])
        items = [self._item(dice, number * MOST_ITEMS + place) for place in range(1 + dice.below(MOST_ITEMS))]
        shipped = self.folders[self._folders[number]] in {"Shipped", "Closed"}
        body = {
            "email": customer["email"],
            "customer_id": customer["id"],
            "source_name": self._source_name(number),
            "source_id": self._source_id(number),
            "shipping": recipient,
            "customer": customer,
            "return_address": [] if dice.below(4) else self._return_address(),
            "shipping_method": dice.pick(words.SHIPPING_METHODS),
            "shipping_total": dice.below(2_500) / 100,
            "handling_total": dice.pick((0, 0, 0, 2.5)),
            "tax_total": dice.below(1_500) / 100,
            "cc_number_masked": f"************{dice.below(10_000):04}",
            "cc_exp": f"{1 + dice.below(12):02}/{2027 + dice.below(5)}",
            "payment_type": dice.pick(words.PAYMENT_TYPES),
            "payment_status": dice.pick(words.PAYMENT_STATUSES),
            "ip_address": f"192.0.2.{1 + dice.below(254)}",  # RFC 5737
            "tag_name": dice.pick(("", "", "", "Priority")),
            "fulfillment_name": "Main Warehouse" if shipped else "",
            "checkout_data": dict([dice.pick(words.CHECKOUT_FIELDS)]) if dice.below(2) else [],
            "order_metadata": {"channel": dice.pick(("web", "phone"))} if dice.below(3) else [],
            "discount_list": [{"name": "Welcome", "code": "HELLO5", "amount": 5}] if not dice.below(6) else [],
            "order_notes": [
                {"date_added": date_added, "username": "System", "content": dice.pick(words.NOTES)}
                for _ in range(dice.below(3))
            ],
            "order_items": items,
        }
        kept = {
            "id": order_id,
            "email_count": dice.below(4),
            "folder_id": self._folders[number],
            "date_added": date_added,
            "order_items": items,
            "order_shipments": [self._shipment(dice, number, order_id, date_updated)] if shipped else [],
        }
        return shapes.order(body, kept=kept, now=date_updated, next_item_id=_no_new_items)

    def history(self, number: int) -> list[Record]:
        """What the append-only history of an order says before anybody adds to it."""
        note = f"Order imported from {self._source_name(number)}"
        return [{"date_added": date_text(self._added[number]), "source_name": "Order Desk", "note": note}]

    def inventory(self) -> Iterator[Record]:
        """The inventory items, as `GET /inventory-items` shows them before anybody changes them."""
        for number in range(INVENTORY_ITEMS):
            product, dice = self._products[number], self._dice("inventory", number)
            body = {
                **product,
                "cost": round(product["price"] * 0.4, 2),
                "stock": dice.below(250),
                "location": dice.pick(words.LOCATIONS),
                "update_source": dice.pick(("", "Shopify")),
                "manufacturer_sku": f"{dice.pick(words.MANUFACTURERS)}-{1_000 + number}",
                "variation_list": {"Color": dice.pick(words.COLORS)} if dice.below(2) else {},
            }
            item_id = _mixed_id(self.first_order_id + number)
            yield shapes.inventory_item(body, item_id=item_id, now=date_text(LAST_DATE - SPAN_SECONDS))

    def _draw(self, number: int) -> tuple[int, int, int, int, int, int]:
        dice = self._dice("head", number)
        customer = dice.below(self.orders // ORDERS_PER_CUSTOMER + 1)
        # One order in seven is a present: sent to somebody who has ordered nothing.
        recipient = customer if dice.below(7) else self.orders + number
        step = SPAN_SECONDS // self.orders
        added = LAST_DATE - (self.orders - number) * step + dice.below(step)
        source, folder = dice.below(len(words.SOURCES)), self.first_folder_id + dice.below(len(words.FOLDERS))
        return customer, recipient, source, folder, added, added + dice.below(UPDATED_WITHIN_SECONDS)

    def _people(self, part: str, numbers: Iterable[int]) -> list[Any]:
        known = {number: self._customer(number)[part] for number in set(numbers)}
        return [known[number] for number in numbers]

    def _source_name(self, number: int) -> str:
        return words.SOURCES[self._sources[number]]

    def _source_id(self, number: int) -> str:
        return f"{self._source_name(number)[:2].upper()}-{self.store}{100_000 + number}"

    def _customer(self, number: int) -> Record:
        dice = self._dice("customer", number)
        first, last = dice.pick(words.FIRST_NAMES), dice.pick(words.LAST_NAMES)
        city, state, postal_code, country = dice.pick(words.PLACES)
        return {
            "id": f"C{self.store}-{10_000 + number}",
            "email": f"customer{number}.s{self.store}@{dice.pick(words.MAIL_DOMAINS)}",
            "first_name": first,
            "last_name": last,
            "company": "" if dice.below(4) else dice.pick(words.COMPANIES),
            "address1": f"{1 + dice.below(400)} {dice.pick(words.STREETS)}",
            "address2": "" if dice.below(5) else f"Unit {1 + dice.below(40)}",
            "address3": "",
            "address4": "",
            "city": city,
            "state": state,
            "postal_code": postal_code,
            "country": country,
            "phone": f"+1 615 555 01{dice.below(100):02}",  # reserved for fiction
        }

    def _product(self, number: int) -> Record:
        dice = self._dice("product", number)
        material, thing = words.MATERIALS[number % 12], words.THINGS[number // 12]
        return {
            "name": f"{material} {thing}",
            "code": f"{material[:3].upper()}-{thing[:3].upper()}-{number:03}",
            "price": 4 + dice.below(9_600) / 100,
            "weight": (10 + dice.below(300)) / 100,
        }

    def _item(self, dice: Dice, number: int) -> Record:
        return {
            **dice.pick(self._products),
            "id": str(self.first_order_id + number),
            "quantity": 1 + dice.below(4),
            "delivery_type": "ship" if dice.below(20) else "download",
            "category_code": dice.pick(("DEFAULT", "HOME", "GIFT")),
            "variation_list": {"Size": dice.pick(words.SIZES)} if dice.below(2) else [],
            "metadata": {"engraving": "For you"} if not dice.below(8) else [],
        }

    def _shipment(self, dice: Dice, number: int, order_id: str | int, date_added: str) -> Record:
        carrier, prefix, page = dice.pick(words.CARRIERS)
        tracking_number = f"{prefix}{10_000_000 + number}{dice.below(100_000):05}"
        body = {
            "tracking_number": tracking_number,
            "carrier_code": carrier,
            "shipment_method": "Ground",
            "tracking_url": page + tracking_number,
            "weight": (20 + dice.below(400)) / 100,
            "cost": (400 + dice.below(1_200)) / 100,
        }
        shipment_id = self.first_order_id + (self.orders * MOST_ITEMS) + number
        return shapes.shipment(body, shipment_id=shipment_id, order_id=order_id, date_added=date_added)

    def _return_address(self) -> Record:
        name = words.STORE_NAMES[self.store % len(words.STORE_NAMES)]
        return {"title": "Returns", "name": "Returns Desk", "company": name, "address1": "1 Dock Road", "country": "US"}

    def _dice(self, kind: str, number: int) -> Dice:
        return Dice(self.seed, self.store, kind, number)


def _mixed_id(number: int) -> str | int:
    return number if number % 4 == 0 else str(number)


def _no_new_items() -> int:
    raise AssertionError("every item of the catalogue has its id")

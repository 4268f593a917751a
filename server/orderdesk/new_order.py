"""What an order must hold to be created, checked before OrderDesk is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from server.errors import ArgumentsError
from server.orderdesk.kinds import ORDER
from server.orderdesk.merge import JsonObject, merge

PERSONS: Final = ("customer", "shipping")
NAMES: Final = ("first_name", "last_name", "company")
SOURCE: Final = ("source_id", "source_name")
SOURCE_LENGTH: Final = 200
FIELD: Final = "order_data"
# A new order may be put into a folder at once; later it is moved. One without a source id is given one.
RULES: Final = replace(
    ORDER.rules,
    writable=ORDER.rules.writable | {"folder_id"},
    read_only={name: why for name, why in ORDER.rules.read_only.items() if name != "folder_id"},
    needed={},
)


def new_order(data: Mapping[str, Any], now: str) -> JsonObject:
    """The order to send, its notes dated `now` (UTC). Raises ArgumentsError naming all that is missing or wrong.

    OrderDesk needs order_items and a first_name, last_name or company of the customer or the shipping address.
    """
    missing = []
    if not data.get("order_items"):
        missing.append(f"{FIELD}.order_items")
    if not any(_named(data.get(person)) for person in PERSONS):
        missing.append(f"{FIELD}.customer.last_name")
    order, invalid = _merged(data, now)
    items = data.get("order_items")
    if isinstance(items, list) and not all(isinstance(item, Mapping) for item in items):
        invalid[f"{FIELD}.order_items"] = "is a list of objects, each with name, price and quantity"
    for name in SOURCE:
        if not _is_short_text(data.get(name)):
            invalid[f"{FIELD}.{name}"] = f"is a text of at most {SOURCE_LENGTH} characters"
    if missing or invalid:
        needed = [f"{name} is required" for name in missing]
        if missing and missing[-1].endswith("last_name"):
            needed[-1] += " (or first_name or company, of customer or shipping)"
        parts = needed + [f"{name} {why}" for name, why in invalid.items()]
        raise ArgumentsError("; ".join(parts), missing_fields=missing, invalid_fields=invalid)
    return order


def _named(person: object) -> bool:
    return isinstance(person, Mapping) and any(str(person.get(name) or "").strip() for name in NAMES)


def _is_short_text(value: object) -> bool:
    return value is None or (isinstance(value, str | int) and len(str(value)) <= SOURCE_LENGTH)


def _merged(data: Mapping[str, Any], now: str) -> tuple[JsonObject, dict[str, str]]:
    """The order by the rules that its changes obey, and what these refuse."""
    if not data:
        return {}, {}
    try:
        return merge(RULES, {}, data, now), {}
    except ArgumentsError as error:
        refused: Mapping[str, str] = error.details["invalid_fields"]
        return {}, {name.replace("changes", FIELD, 1): why for name, why in refused.items()}

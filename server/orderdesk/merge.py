"""The rules by which changes join an order: OrderDesk replaces whole orders, so what is not merged would be blanked."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from server.errors import ArgumentsError

Order = dict[str, Any]

WRITABLE_FIELDS: Final = frozenset(
    {
        "email", "shipping_method", "shipping_total", "handling_total", "tax_total", "refund_total",
        "cc_number_masked", "cc_exp", "processor_response", "payment_type", "payment_status", "processor_balance",
        "customer_id", "email_count", "ip_address", "source_name", "source_id", "fulfillment_name", "fulfillment_id",
        "folder_id", "shipping", "customer", "return_address", "checkout_data", "order_metadata", "discount_list",
        "order_notes", "order_items",
    }
)  # fmt: skip
READ_ONLY_FIELDS: Final = {
    "id": "is given by OrderDesk",
    "date_added": "is kept by OrderDesk",
    "date_updated": "is kept by OrderDesk",
    "quantity_total": "is computed by OrderDesk",
    "weight_total": "is computed by OrderDesk",
    "product_total": "is computed by OrderDesk",
    "discount_total": "is computed by OrderDesk",
    "order_total": "is computed by OrderDesk",
    "order_shipments": "cannot be changed through an order",
}
LISTS: Final = frozenset({"order_items", "discount_list"})
MAPS: Final = frozenset({"shipping", "customer", "return_address", "checkout_data", "order_metadata"})
FREE_FORM: Final = frozenset({"checkout_data", "order_metadata"})
BLANKS: Final[tuple[object, ...]] = ("", None, [], {})
LIMITS: Final = {"checkout_data": 3_500, "order_metadata": 2_000}
NAME_LENGTH: Final = 100
SHOWN_PROBLEMS: Final = 10
NOTE_LIMIT: Final = 2_000
NOTE_AUTHOR: Final = "System"


def merge(order: Mapping[str, Any], changes: Mapping[str, Any], now: str) -> Order:
    """A new order: `order` with `changes` merged in; neither argument is altered. `now` dates new notes (UTC).

    null removes a key, objects merge key by key, notes are appended unless they are there already, other lists are
    replaced. Raises ArgumentsError for fields that do not exist or may not be written, for values too long, and for a
    value of another kind (a text for an address would wipe the address out).
    """
    _refuse_unwritable(order, changes)
    merged = copy.deepcopy(dict(order))
    for name, value in changes.items():
        if name == "order_notes":
            merged[name] = _with_notes(merged.get(name), value, now)
        else:
            _merge_key(merged, name, value, name)
    _refuse_too_long(merged, changes)
    return merged


def same(order: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two orders are the same to OrderDesk, which shows what was removed as a blank.

    In a free-form map a blank is a value like any other.
    """
    return _substance(order) == _substance(other)


def _substance(order: Mapping[str, Any]) -> Order:
    kept = {
        name: _substance(value) if isinstance(value, dict) and name not in FREE_FORM else value
        for name, value in order.items()
    }
    return {name: value for name, value in kept.items() if value not in BLANKS}


def shows(order: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether an order shows what `changes` asked for, though OrderDesk adds ids and writes numbers its own way."""
    return all(_shows(order.get(name), value, name) for name, value in changes.items())


def _shows(actual: object, wanted: object, name: str) -> bool:
    if wanted is None:
        return actual in BLANKS
    if name == "order_notes":
        present = {_essence(note) for note in _entries(actual)}
        return all(_essence(note) in present for note in (wanted if isinstance(wanted, list) else [wanted]))
    if isinstance(wanted, Mapping):
        found = actual if isinstance(actual, Mapping) else {}
        return all(_shows(found.get(key), value, str(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        entries = _entries(actual)
        return len(entries) == len(wanted) and all(
            _shows(entry, part, name) for entry, part in zip(entries, wanted, strict=True)
        )
    return actual == wanted or (actual in BLANKS and wanted in BLANKS) or _is_same_number(actual, wanted)


def _is_same_number(one: object, other: object) -> bool:
    """Whether "5" and 5.00 stand for one number."""
    try:
        return Decimal(str(one)) == Decimal(str(other))
    except InvalidOperation:
        return False


def _entries(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def differences(before: object, after: object, path: str = "") -> list[dict[str, Any]]:
    """What changed, a line each: `field` (dotted path), `before`, `after`; absent values are null."""
    if isinstance(before, dict) and isinstance(after, dict):
        lines = []
        for name in [*before, *(name for name in after if name not in before)]:
            lines += differences(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
        return lines
    return [] if before == after else [{"field": path, "before": before, "after": after}]


def _merge_key(target: dict[str, Any], name: str, value: object, path: str) -> None:
    current = target.get(name)
    if value is None:
        target.pop(name, None)
        return
    _refuse_other_kind(current, value, path)
    if isinstance(value, Mapping):
        # OrderDesk sends an empty map as [].
        nested = current if isinstance(current, dict) else {}
        for key, item in value.items():
            _merge_key(nested, key, item, f"{path}.{key}")
        if nested or isinstance(current, dict) or current is None:
            target[name] = nested
    else:
        target[name] = copy.deepcopy(value)


def _refuse_other_kind(current: object, value: object, path: str) -> None:
    """Raise ArgumentsError for a value that cannot stand where the current one does; OrderDesk would blank it."""
    if path in LISTS or (isinstance(current, list) and current):
        if not isinstance(value, list):
            raise _invalid(path, "is a list, which is replaced as a whole")
    elif path in MAPS or isinstance(current, dict):
        if not isinstance(value, Mapping):
            raise _invalid(path, "is an object; name the keys to change, or null to remove it")
    elif isinstance(current, str | int | float) and current != "" and isinstance(value, Mapping | list):
        raise _invalid(path, "is a single value")


def _with_notes(current: object, added: object, now: str) -> list[Any]:
    if isinstance(current, Mapping) and current:
        raise _invalid("order_notes", "come from OrderDesk in a form that cannot be written back without loss")
    notes = list(_entries(current))
    present = {_essence(note) for note in notes}
    for item in added if isinstance(added, list) else [added]:
        note = {"date_added": now, "username": NOTE_AUTHOR, **_note(item)}
        if _essence(note) not in present:
            present.add(_essence(note))
            notes.append(note)
    return notes


def _note(item: object) -> dict[str, Any]:
    content = item.get("content") if isinstance(item, Mapping) else item
    if not isinstance(content, str) or not content.strip():
        raise _invalid("order_notes", "a note is a text, or an object with a content and perhaps a username")
    note = {"content": content}
    if isinstance(item, Mapping):
        for name in set(item) - {"content"}:
            if name not in {"username", "date_added"} or not isinstance(item[name], str):
                raise _invalid(
                    "order_notes", "a note has a content, and perhaps a username and a date_added, all texts"
                )
            note[name] = item[name]
    if sum(map(len, note.values())) > NOTE_LIMIT:
        raise _invalid("order_notes", f"a note holds at most {NOTE_LIMIT} characters, its metadata included")
    return note


def _essence(note: object) -> str:
    """What tells notes apart: the text, blanks around it and letter case aside."""
    content = note.get("content", "") if isinstance(note, Mapping) else note
    return str(content).strip().casefold()


def _refuse_unwritable(order: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    if not changes:
        raise _invalid("changes", "name at least one field to change")
    invalid = {}
    for name in changes:
        if name in READ_ONLY_FIELDS:
            invalid[f"changes.{name}"] = READ_ONLY_FIELDS[name]
        elif name not in WRITABLE_FIELDS and name not in order:
            near = difflib.get_close_matches(name[:NAME_LENGTH], [*WRITABLE_FIELDS, *order], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            invalid[f"changes.{name[:NAME_LENGTH]}"] = "is no field of an order" + hint
        if len(invalid) == SHOWN_PROBLEMS:  # a suggestion costs time: ten of them are enough to go on with
            break
    if invalid:
        message = "; ".join(f"{name} {reason}" for name, reason in invalid.items())
        raise ArgumentsError(message, invalid_fields=invalid)


def _refuse_too_long(merged: Order, changes: Mapping[str, Any]) -> None:
    for name, limit in LIMITS.items():
        if name in changes and len(orjson.dumps(merged.get(name)).decode()) > limit:
            raise _invalid(name, f"holds at most {limit} characters")


def _invalid(field: str, reason: str) -> ArgumentsError:
    name = field if field == "changes" else f"changes.{field}"
    return ArgumentsError(f"{name}: {reason}", invalid_fields={name: reason})

"""What `GET /orders` is asked for: filters, order and page, read from its query string."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from harness.sandbox.clock import parse_date
from harness.sandbox.errors import RefusedError
from harness.sandbox.index import Between, OneOf, Selection, key
from harness.sandbox.shapes import MONEY, TEXTS, TEXTS_BEFORE_TOTALS

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500
# Each names the order field it is compared with.
EQUALITY_FILTERS = {
    **{name: name for name in ("email", "customer_id", "source_id", "source_name")},
    **{
        f"{person}_{part}": f"{person}.{part}"
        for person in ("customer", "shipping")
        for part in ("first_name", "last_name", "company", "address1", "phone")
    },
}
# Query parameters for the first and last date, and the field they bound.
DATE_FILTERS = (
    ("search_start_date", "search_end_date", "date_added"),
    ("modified_start_date", "modified_end_date", "date_updated"),
)
SORTABLE = frozenset(
    (
        *("id", "source_id", "folder_id", "email_count", "date_added", "date_updated"),
        *("quantity_total", "weight_total", "product_total", "discount_total", "order_total"),
        *TEXTS_BEFORE_TOTALS,
        *MONEY,
        *TEXTS,
    )
)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    offset: int
    limit: int


def parameters(query: str) -> dict[str, str]:
    """A query string's parameters, the last of each name; blank ones are left out, as if they were not sent."""
    return dict(parse_qsl(query))


def page(asked: Mapping[str, str]) -> Page:
    """The page: `limit` 50 unless given and never above 500, `offset` 0; what is no number counts as not given."""
    limit = _whole(asked.get("limit"), DEFAULT_LIMIT)
    return Page(max(0, _whole(asked.get("offset"), 0)), min(LARGEST_LIMIT, limit) if limit > 0 else DEFAULT_LIMIT)


def selection(asked: Mapping[str, str], folders: Mapping[int, str]) -> Selection:
    """The filters and the order. Unknown parameters are ignored.

    Raises RefusedError for a date or an order_by that cannot be understood: what OrderDesk does then is not known, and
    a wrong list would hide a client's mistake.
    """
    filters: list[OneOf | Between] = [
        OneOf(field, frozenset([key(asked[name])])) for name, field in EQUALITY_FILTERS.items() if name in asked
    ]
    if "folder_id" in asked:
        filters.append(OneOf("folder_id", frozenset(_whole(part, -1) for part in asked["folder_id"].split(","))))
    if "folder_name" in asked:
        named = key(asked["folder_name"])
        filters.append(OneOf("folder_id", frozenset(number for number, name in folders.items() if key(name) == named)))
    for start, end, field in DATE_FILTERS:
        low, high = _date(asked, start), _date(asked, end)
        if low or high:
            filters.append(Between(field, low, high))
    order_by = asked.get("order_by", "date_added")
    if order_by not in SORTABLE:
        raise RefusedError(f"Invalid order_by: {order_by}")
    return Selection(tuple(filters), order_by, descending=asked.get("order", "DESC").upper() != "ASC")


def _date(asked: Mapping[str, str], name: str) -> str | None:
    if name not in asked:
        return None
    try:
        return parse_date(asked[name])
    except ValueError:
        raise RefusedError(f"Invalid {name}: {asked[name]}") from None


def _whole(value: str | None, default: int) -> int:
    return int(value) if value is not None and value.strip().lstrip("-").isdecimal() else default

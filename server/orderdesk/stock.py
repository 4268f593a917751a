"""Adjusting a product's stock: by so many, or to so many, reckoned anew from what is there when it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from server.errors import ArgumentsError
from server.orderdesk.change import Change, Changes
from server.writes.operation import Plan, Revise


def stock_after(present: object, *, by: int | None, to: int | None) -> object:
    """The stock to write, as a number or as text like the present one, which may be either or blank.

    Never below zero unless it is there already. Raises ArgumentsError that says the present stock.
    """
    before = _number(present)
    if before is None and to is None:
        raise _refusal("by", "cannot be added to the present stock, which is no number; use to", present)
    after = Decimal(to) if to is not None else (before or Decimal(0)) + Decimal(by or 0)
    if after < 0 and (before is None or before >= 0):
        name = "by" if to is None else "to"
        raise _refusal(name, f"would leave a stock of {_plain(after)}; the present stock is {present or 0}", present)
    if after == before:
        return present
    return str(_plain(after)) if isinstance(present, str) and present.strip() else _plain(after)


def adjustment(by: int | None, to: int | None) -> Changes:
    """The change of a product's stock, whatever it is by then."""

    def changes(product: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"stock": stock_after(product.get("stock"), by=by, to=to)}

    return changes


def _number(stock: object) -> Decimal | None:
    """A stock as a number, blank being none at all; None where it is no number."""
    if stock is None or (isinstance(stock, str) and not stock.strip()):
        return Decimal(0)
    try:
        number = Decimal(str(stock))
    except InvalidOperation:
        return None
    return number if number.is_finite() and not isinstance(stock, bool) else None


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _refusal(name: str, reason: str, present: object) -> ArgumentsError:
    return ArgumentsError(f"{name} {reason}.", invalid_fields={name: reason}, present_stock=present)


@dataclass(frozen=True)
class AddToStock(Change):
    """A change of stock by so many.

    Any stock may be reached in many ways: that it shows the sum proves that this change was made only as long as no
    other can have been made since it was sent. So it is looked for right after, its lock being held, and never later.
    """

    sent: list[Plan] = field(default_factory=list)

    async def apply(self, plan: Plan, revise: Revise) -> dict[str, Any]:
        """PUT the product."""
        self.sent.append(plan)
        return await super().apply(plan, revise)

    async def look_up(self, plan: Plan) -> dict[str, Any] | None:
        """The product, if this very operation was sent and shows."""
        return await super().look_up(plan) if self.sent else None

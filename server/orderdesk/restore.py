"""Taking a change back: what it changed becomes what it was, unless somebody changed that since."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server.errors import ConflictError
from server.orderdesk.change import Change
from server.orderdesk.merge import JsonObject, same, shows
from server.writes.operation import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Restore(Change):
    """An operation that takes back what led from `before` to `after`, leaving what others changed meanwhile.

    Fields that OrderDesk keeps or computes are left to it. Raises ConflictError naming every field that no longer is
    what the write made of it, or that cannot be had back.
    """

    before: JsonObject
    after: JsonObject

    def _plan(self, found: JsonObject) -> Plan:
        restored = copy.deepcopy(found)
        rules = self.reference.kind.rules
        lost = _restore(restored, self.before, self.after, "", frozenset(rules.read_only))
        lost += _items_gone(self.before, found)
        if lost:
            raise ConflictError(
                f"{self._name} cannot be restored: {'; '.join(lost)}. Nothing was written.", fields=lost
            )
        if same(rules, restored, found):
            return Plan(found, restored, self._updated(found))
        return Plan(found, restored)

    def _absent(self, plan: Plan, found: JsonObject) -> list[str]:
        changed = [name for name in {**plan.before, **plan.after} if plan.before.get(name) != plan.after.get(name)]
        return [name for name in changed if not _alike(found.get(name), plan.after.get(name))]


def _restore(
    target: JsonObject, before: Mapping[str, Any], after: Mapping[str, Any], path: str, kept: frozenset[str]
) -> list[str]:
    """Put the values of `before` into `target` wherever `after` differs; returns what stands in the way."""
    lost: list[str] = []
    for name in {**before, **after}:
        was, became, current = before.get(name), after.get(name), target.get(name)
        if name in kept or _alike(was, became):
            continue
        where = f"{path}{name}"
        if isinstance(became, dict) and isinstance(was, dict) and isinstance(current, dict):
            lost += _restore(current, was, became, f"{where}.", frozenset())
        elif not _alike(current, became):
            lost.append(f"{where} was changed since")
        elif name in before:
            target[name] = copy.deepcopy(was)
        else:
            target.pop(name, None)
    return lost


def _items_gone(before: JsonObject, found: JsonObject) -> list[str]:
    """Items that the order had and has no more: OrderDesk gives them no second time the same id."""
    present = {str(item.get("id")) for item in _records(found.get("order_items"))}
    return [
        f"item {item['id']} was removed, and OrderDesk cannot give it back its id"
        for item in _records(before.get("order_items"))
        if str(item.get("id")) not in present
    ]


def _records(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _alike(one: object, other: object) -> bool:
    """Whether two values are one to OrderDesk, which writes numbers and blanks its own way."""
    return one == other or shows({"value": one}, {"value": other})

"""Taking a change back: what it changed becomes what it was, unless somebody changed that since."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from server.errors import ConflictError
from server.orderdesk.admission import NOTES
from server.orderdesk.change import Change
from server.orderdesk.merge import JsonObject, essence, holds, same, spelt
from server.orderdesk.rules import BLANKS
from server.orderdesk.shown import as_shown
from server.writes.operation import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from server.orderdesk.rules import Rules


@dataclass(frozen=True, kw_only=True)
class Restore(Change):
    """An operation that takes back what led from `before` to `after`, leaving what others changed meanwhile.

    `shown` is what OrderDesk showed of it then or later: how it spells `after`. Fields that OrderDesk keeps or computes
    are left to it. Raises ConflictError naming every field that no longer is what the write made of it, or that cannot
    be had back.
    """

    before: JsonObject
    after: JsonObject
    shown: JsonObject = field(default_factory=dict)

    def _plan(self, found: JsonObject) -> Plan:
        restored = copy.deepcopy(found)
        rules = self.reference.kind.rules
        lost = _restore(rules, restored, self.before, as_shown(rules, self.after, self.shown))
        lost += _items_gone(self.before, found)
        if lost:
            raise ConflictError(
                f"{self._name} cannot be restored: {'; '.join(lost)}. Nothing was written.", fields=lost
            )
        if same(rules, restored, found):
            return Plan(found, restored, self._unchanged(found))
        return Plan(found, restored)

    def _absent(self, plan: Plan, found: JsonObject) -> list[str]:
        changed = [name for name in {**plan.before, **plan.after} if plan.before.get(name) != plan.after.get(name)]
        rules = self.reference.kind.rules
        return [name for name in changed if not _is_restored(rules, name, found.get(name), plan.after.get(name))]


def _restore(
    rules: Rules,
    target: JsonObject,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    path: str = "",
    *,
    free_form: bool = False,
) -> list[str]:
    """Put the values of `before` into `target` wherever `after` differs; returns what stands in the way.

    In free-form maps a blank is a value like any other.
    """
    lost: list[str] = []
    for name in {**before, **after}:
        where = f"{path}{name}"
        if name in rules.read_only:
            continue
        was, became, current = before.get(name), after.get(name), target.get(name)
        text = free_form or rules.is_text(name)
        if _are_maps(was, became) and (isinstance(current, dict) or current in BLANKS):
            within = free_form or name in rules.free_form
            part = copy.deepcopy(_map(current))
            lost += _restore(rules.within(name), part, _map(was), _map(became), f"{where}.", free_form=within)
            if part == _map(current) and (not free_form or (name in before) == (name in after)):
                continue
            if not part and not isinstance(was, dict):
                _put(target, name, before)
            else:
                target[name] = part
        elif spelt(was, became, text=text) and (not free_form or (name in before) == (name in after)):
            continue
        elif not (
            spelt(current, became, text=text)
            or (became in BLANKS and not free_form and rules.is_nothing(name, current))
        ):
            lost.append(f"{where} was changed since")
        elif was in BLANKS and name in rules.needed:
            lost.append(f"{where} {rules.needed[name]}")
        else:
            _put(target, name, before)
    return lost


def _put(target: JsonObject, name: str, before: Mapping[str, Any]) -> None:
    if name in before:
        target[name] = copy.deepcopy(before[name])
    else:
        target.pop(name, None)


def _are_maps(one: object, other: object) -> bool:
    """Whether both are maps, one of them perhaps empty, which OrderDesk sends as []."""
    maps = [isinstance(value, dict) for value in (one, other)]
    return all(maps) or (any(maps) and (one in BLANKS or other in BLANKS))


def _map(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


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


def _is_restored(rules: Rules, name: str, found: object, wanted: object) -> bool:
    if name == NOTES and isinstance(found, list) and isinstance(wanted, list):
        return list(map(essence, found)) == list(map(essence, wanted))
    return holds(rules, name, found, wanted)

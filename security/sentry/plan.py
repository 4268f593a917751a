"""What must happen in Sentry for its alert rules to be ours: nothing, where they are."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from security.sentry.rules import PREFIX, AlertRule

PLAIN: Final = ("actionMatch", "filterMatch", "frequency", "environment")
NODES: Final = ("conditions", "filters", "actions")


class Action(StrEnum):
    """What is done to a rule, in this order."""

    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"


@dataclass(frozen=True)
class Change:
    """One thing to do: to the rule of this id in Sentry (empty for a new one), for this reason."""

    action: Action
    name: str
    why: str
    id: str = ""
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Plan:
    """The changes; the names of rules that are right, of ours that somebody muted, and how many are not ours."""

    changes: Sequence[Change]
    right: Sequence[str]
    muted: Sequence[str]
    others: int


def make_plan(wanted: Sequence[AlertRule], found: Sequence[Mapping[str, Any]]) -> Plan:
    """Compare the rules that there should be with those that Sentry has."""
    ours: dict[str, list[Mapping[str, Any]]] = {}
    for rule in found:
        if str(rule["name"]).startswith(PREFIX):
            ours.setdefault(str(rule["name"]), []).append(rule)
    changes, right = [], []
    for each in wanted:
        existing = ours.pop(each.name, [])
        if not existing:
            changes.append(Change(Action.CREATE, each.name, each.why, body=each.body()))
        elif different := _differences(each.body(), existing[0]):
            why = f"differs in {', '.join(different)}"
            changes.append(Change(Action.UPDATE, each.name, why, str(existing[0]["id"]), each.body()))
        else:
            right.append(each.name)
        changes += [Change(Action.DELETE, each.name, "is there twice", str(copy["id"])) for copy in existing[1:]]
    changes += [
        Change(Action.DELETE, name, "is no rule any more", str(rule["id"]))
        for name, rules in ours.items()
        for rule in rules
    ]
    muted = [str(rule["name"]) for rule in found if str(rule["name"]).startswith(PREFIX) and _is_muted(rule)]
    others = sum(not str(rule["name"]).startswith(PREFIX) for rule in found)
    # Sentry refuses a rule that does what another one does already, so what goes goes first.
    order = list(Action)
    return Plan(sorted(changes, key=lambda change: order.index(change.action)), right, muted, others)


def _differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    plain = [member for member in PLAIN if wanted[member] != found.get(member)]
    return plain + [member for member in NODES if not _same(wanted[member], found.get(member) or [])]


def _same(wanted: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nodes are the same but for what Sentry adds to them, such as a label and an id, and for their order."""
    found = list(found)
    known = {str(node["id"]): node.keys() for node in wanted}
    mine = sorted(_canonical(node, node.keys()) for node in wanted)
    return mine == sorted(_canonical(node, known.get(str(node.get("id")), node.keys())) for node in found)


def _canonical(node: Mapping[str, Any], members: Iterable[str]) -> str:
    """Numbers come back as texts from some releases of Sentry."""
    return json.dumps({member: str(node.get(member)) for member in members}, sort_keys=True)


def _is_muted(rule: Mapping[str, Any]) -> bool:
    return rule.get("status") == "disabled" or rule.get("snoozeForEveryone") is True

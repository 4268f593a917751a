"""What OrderDesk shows of what was sent: its own spelling is told from what somebody added since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from server.orderdesk.admission import NOTES
from server.orderdesk.merge import alike, essence, holds
from server.orderdesk.rules import BLANKS

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject
    from server.orderdesk.rules import Rules


def as_shown(rules: Rules, sent: Mapping[str, Any], shown: Mapping[str, Any]) -> JsonObject:
    """`sent` with its lists as OrderDesk shows them, with the ids it gave; not one that holds anything else than sent.

    What is shown may be of a later time than what was sent, and hold others' changes.
    """
    spelt: JsonObject = {}
    for name, value in sent.items():
        seen = shown.get(name)
        if isinstance(value, Mapping) and isinstance(seen, Mapping):
            spelt[name] = as_shown(rules.within(name), value, seen)
        else:
            spelt[name] = seen if isinstance(value, list) and _is_list_sent(rules, name, seen, value) else value
    return spelt


def grown(rules: Rules, sent: Mapping[str, Any], shown: Mapping[str, Any], kept: frozenset[str]) -> list[str]:
    """The fields of a created object, `kept` apart, that show something else than was sent and OrderDesk filled in."""
    return [
        name
        for name, seen in shown.items()
        if name not in kept and not _is_field_sent(rules, name, seen, sent.get(name))
    ]


def _is_field_sent(rules: Rules, name: str, seen: object, value: object) -> bool:
    if isinstance(value, list):
        return alike(seen, value) or _is_list_sent(rules, name, seen, value)
    if isinstance(value, Mapping) or isinstance(seen, list) or name in rules.free_form:
        return alike(seen, value)
    # OrderDesk has values of its own for what is left out, addresses included.
    return value in BLANKS or alike(seen, value)


def _is_list_sent(rules: Rules, name: str, seen: object, sent: list[Any]) -> bool:
    return (
        isinstance(seen, list)
        and len(seen) == len(sent)
        and all(
            essence(entry) == essence(part) if name == NOTES else _is_entry_sent(rules.parts.get(name), entry, part)
            for entry, part in zip(seen, sent, strict=True)
        )
    )


def _is_entry_sent(rules: Rules | None, seen: object, sent: object) -> bool:
    if rules is None or not isinstance(seen, Mapping) or not isinstance(sent, Mapping):
        return alike(seen, sent)
    return all(holds(rules, key, seen.get(key), value) for key, value in sent.items()) and all(
        key not in rules.writable or rules.is_nothing(key, value) for key, value in seen.items() if key not in sent
    )

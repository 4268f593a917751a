"""What OrderDesk shows of what was sent: its own spelling is told from what somebody added since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from server.orderdesk.kinds import ITEM
from server.orderdesk.merge import BLANKS, NOTES, alike, essence

if TYPE_CHECKING:
    from server.orderdesk.merge import JsonObject, Rules

# What OrderDesk fills into an item where nothing was sent.
DEFAULTS: Final[tuple[object, ...]] = (*BLANKS, 0, "ship")


def as_shown(sent: Mapping[str, Any], shown: Mapping[str, Any]) -> JsonObject:
    """`sent` with its lists as OrderDesk shows them, with the ids it gave; not one that holds anything else than sent.

    What is shown may be of a later time than what was sent, and hold others' changes.
    """
    spelt: JsonObject = {}
    for name, value in sent.items():
        seen = shown.get(name)
        if isinstance(value, Mapping) and isinstance(seen, Mapping):
            spelt[name] = as_shown(value, seen)
        else:
            spelt[name] = seen if isinstance(value, list) and _is_list_sent(seen, value, name) else value
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
        return alike(seen, value) or _is_list_sent(seen, value, name)
    if isinstance(value, Mapping) or isinstance(seen, list) or name in rules.free_form:
        return alike(seen, value)
    # OrderDesk has values of its own for what is left out, addresses included.
    return value in BLANKS or alike(seen, value)


def _is_list_sent(seen: object, sent: list[Any], name: str) -> bool:
    return (
        isinstance(seen, list)
        and len(seen) == len(sent)
        and all(_is_entry_sent(entry, part, name) for entry, part in zip(seen, sent, strict=True))
    )


def _is_entry_sent(seen: object, sent: object, name: str) -> bool:
    if name == NOTES:
        return essence(seen) == essence(sent)
    if not isinstance(seen, Mapping) or not isinstance(sent, Mapping):
        return alike(seen, sent)
    return all(
        alike(seen.get(key), value) or (value in BLANKS and seen.get(key) in DEFAULTS) for key, value in sent.items()
    ) and all(key not in ITEM.rules.writable or value in DEFAULTS for key, value in seen.items() if key not in sent)

"""Which changes are sent at all: only those whose result OrderDesk can show, each refusal naming its field."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from server.errors import ArgumentsError
from server.orderdesk.rules import NUMBER, is_kept_number

if TYPE_CHECKING:
    from server.orderdesk.rules import Rules

NOTES: Final = "order_notes"
NAME_LENGTH: Final = 100
SHOWN_PROBLEMS: Final = 10
NO_NUMBER: Final = "is a number, of at most 15 digits"

Problem = tuple[str, str]
"""A dotted path, and what is wrong there."""


def refuse_inadmissible(rules: Rules, current: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Raise ArgumentsError that names every field, ten at most, that does not exist or cannot take its new value."""
    if not changes:
        raise invalid("changes", "name at least one field to change")
    found = {}
    for path, reason in _problems(rules, current, changes):
        found[f"changes.{path}"] = reason
        if len(found) >= SHOWN_PROBLEMS:  # a suggestion costs time: ten of them are enough to go on with
            break
    if found:
        raise ArgumentsError("; ".join(f"{name} {reason}" for name, reason in found.items()), invalid_fields=found)


def invalid(field: str, reason: str) -> ArgumentsError:
    """The refusal of one field."""
    name = field if field == "changes" else f"changes.{field}"
    return ArgumentsError(f"{name}: {reason}", invalid_fields={name: reason})


def _problems(rules: Rules, current: Mapping[str, Any], changes: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in changes.items():
        if name in rules.read_only:
            yield name, rules.read_only[name]
        elif name not in rules.writable and name not in current:
            yield name[:NAME_LENGTH], _no_field(name, rules.kind, [*rules.writable, *current])
        elif name != NOTES:
            yield from _misfits(rules, name, current.get(name), value)


def _misfits(rules: Rules, name: str, current: object, value: object) -> Iterator[Problem]:
    """What keeps a field from taking a value. What it has already it can take."""
    if value is None or (value == "" and not _is_compound(rules, name, current)):
        if name in rules.needed:
            yield name, rules.needed[name]
    elif value == current and type(value) is type(current):
        return
    elif name in rules.lists or (isinstance(current, list) and current):
        yield from _list_misfits(rules, name, current, value)
    elif name in rules.maps or isinstance(current, dict):
        if not isinstance(value, Mapping):
            yield name, "is an object; name the keys to change, or null to remove it"
        else:
            yield from _map_misfits(rules, name, current if isinstance(current, dict) else {}, value)
    elif reason := _single_misfit(rules, name, current, value):
        yield name, reason


def _is_compound(rules: Rules, name: str, current: object) -> bool:
    return name in rules.lists | rules.maps or isinstance(current, list | dict)


def _single_misfit(rules: Rules, name: str, current: object, value: object) -> str | None:
    if name in rules.numbers:
        return None if is_kept_number(value) else NO_NUMBER
    if rules.is_text(name):
        # OrderDesk makes texts of numbers, and nobody knows what of true and false.
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and NUMBER.match(str(value))
        return None if isinstance(value, str) or is_number else "is a text"
    if isinstance(value, Mapping | list):
        return "is a single value" if isinstance(current, str | int | float) and current != "" else None
    if isinstance(current, int | float) and not isinstance(current, bool) and not is_kept_number(value):
        return NO_NUMBER
    return None


def _map_misfits(rules: Rules, name: str, current: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Problem]:
    problems = _problems(rules.parts[name], current, value) if name in rules.parts else _free_problems(current, value)
    for path, reason in problems:
        yield f"{name}.{path}", reason


def _free_problems(current: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Problem]:
    """In a free-form map any value can stand, but none in place of a whole map or list, or the other way round."""
    for name, part in value.items():
        was = current.get(name)
        if part is None or part == was:
            continue
        if isinstance(was, list) and was and not isinstance(part, list):
            yield name[:NAME_LENGTH], "is a list, which is replaced as a whole"
        elif isinstance(was, dict) and isinstance(part, Mapping):
            for path, reason in _free_problems(was, part):
                yield f"{name[:NAME_LENGTH]}.{path}", reason
        elif isinstance(was, dict):
            yield name[:NAME_LENGTH], "is an object; name the keys to change, or null to remove it"
        elif isinstance(part, Mapping | list) and isinstance(was, str | int | float) and was != "":
            yield name[:NAME_LENGTH], "is a single value"


def _list_misfits(rules: Rules, name: str, current: object, value: object) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield name, "is a list, which is replaced as a whole"
    elif name in rules.parts:
        if not all(isinstance(entry, Mapping) for entry in value):
            yield name, "is a list of objects"
            return
        present = [entry for entry in current if isinstance(entry, dict)] if isinstance(current, list) else []
        unclaimed = {str(entry.get("id")): entry for entry in present}
        for place, entry in enumerate(value):
            claimed = unclaimed.pop(str(entry["id"]), None) if "id" in entry else {}
            for path, reason in _entry_misfits(rules.parts[name], present, claimed, entry):
                yield f"{name}.{place}.{path}", reason


def _entry_misfits(
    rules: Rules, present: list[dict[str, Any]], claimed: dict[str, Any] | None, entry: Mapping[str, Any]
) -> Iterator[Problem]:
    """What keeps an entry from standing in its list. It replaces the one that it claims by its id, as a whole."""
    if claimed is None:
        yield "id", "is that of no entry that is there, or of one named before; leave it out to add one"
        return
    known = {name for each in present for name in each}
    for name, value in entry.items():
        if name == "id" or (name in claimed and value == claimed[name]):
            continue
        if name in rules.read_only and name in known:
            yield name, rules.read_only[name]
        elif name not in rules.writable and name not in known:
            yield name[:NAME_LENGTH], _no_field(name, rules.kind, [*rules.writable, *known])
        elif name not in rules.maps or value != []:  # OrderDesk sends an empty map as [].
            yield from _misfits(rules, name, None, value)


def _no_field(name: str, kind: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:NAME_LENGTH], known, n=1)
    return f"is no field of {kind}" + (f"; did you mean {near[0]!r}?" if near else "")

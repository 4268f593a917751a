"""How changes join an object: OrderDesk replaces whole objects, so what is not merged would be blanked."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson

from server.errors import ArgumentsError

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Rules:
    """What may be changed in a kind of object. `read_only` says why not, `limits` are characters of JSON.

    Maps merge key by key, lists are replaced as wholes, in `free_form` maps a blank is a value like any other. `parts`
    are the keys of the maps that have their own: OrderDesk drops others without a word.
    """

    kind: str
    writable: frozenset[str]
    read_only: Mapping[str, str]
    lists: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    free_form: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    parts: Mapping[str, frozenset[str]] = field(default_factory=dict)


NOTES: Final = "order_notes"
NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?\Z", re.ASCII)
BLANKS: Final[tuple[object, ...]] = ("", None, [], {})
NAME_LENGTH: Final = 100
SHOWN_PROBLEMS: Final = 10
NOTE_LIMIT: Final = 2_000
NOTE_AUTHOR: Final = "System"


def merge(rules: Rules, current: Mapping[str, Any], changes: Mapping[str, Any], now: str) -> JsonObject:
    """A new object: `current` with `changes` merged in; neither argument is altered. `now` dates new notes (UTC).

    null removes a key, objects merge key by key, notes are appended unless they are there already, other lists are
    replaced. Raises ArgumentsError for fields that do not exist or may not be written, for values too long, and for a
    value of another kind (a text for an address would wipe the address out).
    """
    _refuse_unwritable(rules, current, changes)
    merged = copy.deepcopy(dict(current))
    for name, value in changes.items():
        if name == NOTES:
            merged[name] = _with_notes(merged.get(name), value, now)
        else:
            _merge_key(rules, merged, name, value, name)
    _refuse_too_long(rules, merged, changes)
    return merged


def same(rules: Rules, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two objects are the same to OrderDesk, which shows what was removed as a blank.

    In a free-form map a blank is a value like any other.
    """
    return _substance(rules, one) == _substance(rules, other)


def _substance(rules: Rules, value: Mapping[str, Any]) -> JsonObject:
    kept = {
        name: _substance(rules, part) if isinstance(part, dict) and name not in rules.free_form else part
        for name, part in value.items()
    }
    return {name: part for name, part in kept.items() if part not in BLANKS}


def shows(found: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether an object shows what `changes` asked for, though OrderDesk adds ids and writes numbers its own way."""
    return all(_shows(found.get(name), value, name) for name, value in changes.items())


def _shows(actual: object, wanted: object, name: str) -> bool:
    if wanted is None:
        return actual in BLANKS
    if name == NOTES:
        present = {essence(note) for note in _entries(actual)}
        return all(essence(note) in present for note in (wanted if isinstance(wanted, list) else [wanted]))
    if isinstance(wanted, Mapping):
        found = actual if isinstance(actual, Mapping) else {}
        return all(_shows(found.get(key), value, str(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        entries = _entries(actual)
        return len(entries) == len(wanted) and all(
            _shows(entry, part, name) for entry, part in zip(entries, wanted, strict=True)
        )
    return actual == wanted or (actual in BLANKS and wanted in BLANKS) or _is_same_number(actual, wanted)


def alike(one: object, other: object) -> bool:
    """Whether two values are one to OrderDesk, which writes numbers and blanks its own way; neither holds more."""
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        # OrderDesk sends an empty map as [].
        maps = [value if isinstance(value, Mapping) else {} for value in (one, other)]
        if not all(isinstance(value, Mapping) or value in BLANKS for value in (one, other)):
            return False
        return all(alike(maps[0].get(name), maps[1].get(name)) for name in {**maps[0], **maps[1]})
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other or (one in BLANKS and other in BLANKS) or _is_same_number(one, other)


def _is_same_number(one: object, other: object) -> bool:
    """Whether "5" and 5.00 stand for one number. A postal code or a phone is none, though Python could read it."""
    texts = str(one), str(other)
    return all(map(NUMBER.match, texts)) and Decimal(texts[0]) == Decimal(texts[1])


def _entries(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def differences(name: str, before: object, after: object, path: str = "") -> list[dict[str, Any]]:
    """What changed in the object `name`, a line each: `object` (its name), `field` (dotted path), `before`, `after`.

    Absent values are null.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        lines = []
        for key in [*before, *(key for key in after if key not in before)]:
            lines += differences(name, before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        return lines
    return [] if before == after else [{"object": name, "field": path, "before": before, "after": after}]


def _merge_key(rules: Rules, target: JsonObject, name: str, value: object, path: str) -> None:
    current = target.get(name)
    if value is None:
        target.pop(name, None)
        return
    _refuse_other_kind(rules, current, value, path)
    if isinstance(value, Mapping):
        # OrderDesk sends an empty map as [].
        nested = current if isinstance(current, dict) else {}
        for key, item in value.items():
            _merge_key(rules, nested, key, item, f"{path}.{key}")
        if nested or isinstance(current, dict) or current is None:
            target[name] = nested
    else:
        target[name] = copy.deepcopy(value)


def _refuse_other_kind(rules: Rules, current: object, value: object, path: str) -> None:
    """Raise ArgumentsError for a value that cannot stand where the current one does; OrderDesk would blank it."""
    if path in rules.lists or (isinstance(current, list) and current):
        if not isinstance(value, list):
            raise _invalid(path, "is a list, which is replaced as a whole")
    elif path in rules.maps or isinstance(current, dict):
        if not isinstance(value, Mapping):
            raise _invalid(path, "is an object; name the keys to change, or null to remove it")
    elif isinstance(current, str | int | float) and current != "" and isinstance(value, Mapping | list):
        raise _invalid(path, "is a single value")


def _with_notes(current: object, added: object, now: str) -> list[Any]:
    if isinstance(current, Mapping) and current:
        raise _invalid(NOTES, "come from OrderDesk in a form that cannot be written back without loss")
    notes = list(_entries(current))
    present = {essence(note) for note in notes}
    for item in added if isinstance(added, list) else [added]:
        note = {"date_added": now, "username": NOTE_AUTHOR, **_note(item)}
        if essence(note) not in present:
            present.add(essence(note))
            notes.append(note)
    return notes


def _note(item: object) -> dict[str, Any]:
    content = item.get("content") if isinstance(item, Mapping) else item
    if not isinstance(content, str) or not content.strip():
        raise _invalid(NOTES, "a note is a text, or an object with a content and perhaps a username")
    note = {"content": content}
    if isinstance(item, Mapping):
        for name in set(item) - {"content"}:
            if name not in {"username", "date_added"} or not isinstance(item[name], str):
                raise _invalid(
                    "order_notes", "a note has a content, and perhaps a username and a date_added, all texts"
                )
            note[name] = item[name]
    if sum(map(len, note.values())) > NOTE_LIMIT:
        raise _invalid(NOTES, f"a note holds at most {NOTE_LIMIT} characters, its metadata included")
    return note


def essence(note: object) -> str:
    """What tells notes apart: the text, blanks around it and letter case aside."""
    content = note.get("content", "") if isinstance(note, Mapping) else note
    return str(content).strip().casefold()


def _refuse_unwritable(rules: Rules, current: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    if not changes:
        raise _invalid("changes", "name at least one field to change")
    invalid = {}
    for name, value in changes.items():
        if name in rules.read_only:
            invalid[f"changes.{name}"] = rules.read_only[name]
        elif name not in rules.writable and name not in current:
            invalid[f"changes.{name[:NAME_LENGTH]}"] = _no_field(name, rules.kind, [*rules.writable, *current])
        elif name in rules.parts and isinstance(value, Mapping):
            known = [*rules.parts[name], *(current.get(name) or ())]
            for part in [part for part in value if part not in known][:SHOWN_PROBLEMS]:
                invalid[f"changes.{name}.{part[:NAME_LENGTH]}"] = _no_field(part, name, known)
        if len(invalid) >= SHOWN_PROBLEMS:  # a suggestion costs time: ten of them are enough to go on with
            break
    if invalid:
        message = "; ".join(f"{name} {reason}" for name, reason in invalid.items())
        raise ArgumentsError(message, invalid_fields=invalid)


def _no_field(name: str, kind: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:NAME_LENGTH], known, n=1)
    return f"is no field of {kind}" + (f"; did you mean {near[0]!r}?" if near else "")


def _refuse_too_long(rules: Rules, merged: JsonObject, changes: Mapping[str, Any]) -> None:
    for name, limit in rules.limits.items():
        if name in changes and len(orjson.dumps(merged.get(name)).decode()) > limit:
            raise _invalid(name, f"holds at most {limit} characters")


def _invalid(field: str, reason: str) -> ArgumentsError:
    name = field if field == "changes" else f"changes.{field}"
    return ArgumentsError(f"{name}: {reason}", invalid_fields={name: reason})

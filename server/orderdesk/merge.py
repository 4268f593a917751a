"""How changes join an object: OrderDesk replaces whole objects, so what is not merged would be blanked."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from server.orderdesk.admission import NOTES, invalid, refuse_inadmissible
from server.orderdesk.rules import BLANKS, number

if TYPE_CHECKING:
    from server.orderdesk.rules import Rules

JsonObject = dict[str, Any]

NOTE_LIMIT: Final = 2_000
NOTE_AUTHOR: Final = "System"


def merge(rules: Rules, current: Mapping[str, Any], changes: Mapping[str, Any], now: str) -> JsonObject:
    """A new object: `current` with `changes` merged in; neither argument is altered. `now` dates new notes (UTC).

    null removes a key, objects merge key by key, notes are appended unless they are there already, other lists are
    replaced. Raises ArgumentsError for fields that do not exist or may not be written or emptied, for values too long,
    and for a value of another kind (a text for an address would wipe the address out).
    """
    refuse_inadmissible(rules, current, changes)
    merged = copy.deepcopy(dict(current))
    for name, value in changes.items():
        if name == NOTES:
            merged[name] = _with_notes(merged.get(name), value, now)
        else:
            _merge_key(merged, name, value)
    _refuse_too_long(rules, merged, changes)
    return merged


def same(rules: Rules, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether an object is as wanted already: OrderDesk shows a value of its own for what was removed.

    In a free-form map a blank is a value like any other.
    """
    return all(_same(rules, name, wanted.get(name), found.get(name)) for name in {**wanted, **found})


def _same(rules: Rules, name: str, wanted: object, found: object) -> bool:
    if wanted in BLANKS:
        return rules.is_nothing(name, found)
    if isinstance(wanted, Mapping) and name not in rules.free_form and (isinstance(found, Mapping) or found in BLANKS):
        return same(rules.within(name), wanted, _map(found))
    return wanted == found


def shows(rules: Rules, found: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether an object shows what `changes` asked for, though OrderDesk adds ids and writes numbers its own way.

    What was removed is shown by nothing, as the rules know it; in a free-form map by its absence alone.
    """
    return all(_shows(rules, name, found.get(name), value) for name, value in changes.items())


def _shows(rules: Rules, name: str, actual: object, wanted: object) -> bool:
    if name == NOTES:
        present = {essence(note) for note in _entries(actual)}
        return all(essence(note) in present for note in (wanted if isinstance(wanted, list) else [wanted]))
    if isinstance(wanted, Mapping):
        found = _map(actual)
        return _shows_free(found, wanted) if name in rules.free_form else shows(rules.within(name), found, wanted)
    if wanted in BLANKS:
        return rules.is_nothing(name, actual)
    if isinstance(wanted, list):
        entries = _entries(actual)
        return len(entries) == len(wanted) and all(
            _shows_entry(rules.within(name), entry, part) for entry, part in zip(entries, wanted, strict=True)
        )
    return spelt(actual, wanted, text=rules.is_text(name))


def _shows_free(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """As `shows`; here what is not there shows nothing but a removal: a blank or an empty map may have been dropped."""
    return all(
        name not in found
        if value is None
        else _shows_free(_map(found.get(name)), value)
        if value and isinstance(value, Mapping)
        else name in found and _shows_value(found[name], value)
        for name, value in wanted.items()
    )


def _shows_value(actual: object, wanted: object) -> bool:
    """An empty map changes nothing in one that is there."""
    return (wanted == {} and isinstance(actual, Mapping)) or spelt(actual, wanted, text=True)


def _shows_entry(rules: Rules, actual: object, wanted: object) -> bool:
    """Whether an entry of a list holds all that was sent in it. It replaces another as a whole, its maps as well."""
    if not isinstance(actual, Mapping) or not isinstance(wanted, Mapping):
        return alike(actual, wanted)
    kept = rules.read_only.keys() - {"id"}  # by OrderDesk, whatever is sent
    return all(holds(rules, name, actual.get(name), value) for name, value in wanted.items() if name not in kept)


def holds(rules: Rules, name: str, actual: object, wanted: object) -> bool:
    """Whether a field holds a value and no more, in OrderDesk's spelling of it, or nothing in its.

    In a free-form map a blank is a value like any other.
    """
    if name in rules.free_form:
        found, asked = _map(actual), _map(wanted)
        keys = {key for key, value in asked.items() if value is not None}
        texts = all(spelt(found.get(key), asked[key], text=True) for key in keys)
        return texts and keys <= found.keys() and alike(actual, wanted)
    if isinstance(actual, Mapping) and isinstance(wanted, Mapping):
        inner = rules.within(name)
        return all(holds(inner, key, actual.get(key), wanted.get(key)) for key in {**actual, **wanted})
    return rules.is_nothing(name, actual) if wanted in BLANKS else spelt(actual, wanted, text=rules.is_text(name))


def spelt(one: object, other: object, *, text: bool) -> bool:
    """Whether two values of a field are alike; where it holds texts as they are, "1.0" is another than "1"."""
    return one == other if text and isinstance(one, str) and isinstance(other, str) else alike(one, other)


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
    """Whether "5" and 5.00 stand for one number."""
    first = number(one)
    return first is not None and first == number(other)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


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


def _merge_key(target: JsonObject, name: str, value: object) -> None:
    current = target.get(name)
    if value is None:
        target.pop(name, None)
    elif isinstance(value, Mapping):
        # OrderDesk sends an empty map as [].
        nested = current if isinstance(current, dict) else {}
        for key, item in value.items():
            _merge_key(nested, key, item)
        if nested or isinstance(current, dict) or current in (None, ""):
            target[name] = nested
    else:
        target[name] = copy.deepcopy(value)


def _with_notes(current: object, added: object, now: str) -> list[Any]:
    if isinstance(current, Mapping) and current:
        raise invalid(NOTES, "come from OrderDesk in a form that cannot be written back without loss")
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
        raise invalid(NOTES, "a note is a text, or an object with a content and perhaps a username")
    note = {"content": content}
    if isinstance(item, Mapping):
        for name in set(item) - {"content"}:
            if name not in {"username", "date_added"} or not isinstance(item[name], str):
                raise invalid("order_notes", "a note has a content, and perhaps a username and a date_added, all texts")
            note[name] = item[name]
    if sum(map(len, note.values())) > NOTE_LIMIT:
        raise invalid(NOTES, f"a note holds at most {NOTE_LIMIT} characters, its metadata included")
    return note


def essence(note: object) -> str:
    """What tells notes apart: the text, blanks around it and letter case aside."""
    content = note.get("content", "") if isinstance(note, Mapping) else note
    return str(content).strip().casefold()


def _refuse_too_long(rules: Rules, merged: JsonObject, changes: Mapping[str, Any]) -> None:
    for name, limit in rules.limits.items():
        if name in changes and len(orjson.dumps(merged.get(name)).decode()) > limit:
            raise invalid(name, f"holds at most {limit} characters")

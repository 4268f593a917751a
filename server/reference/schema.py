"""A tool's JSON Schema in words: one row for each argument or field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

Schema = Mapping[str, Any]

LIMITS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minProperties": "at least {} members",
    "maxProperties": "at most {} members",
    "pattern": "matches `{}`",
}


def properties(schema: Schema) -> Iterator[tuple[str, Schema, bool]]:
    """The name of each property, its schema, and whether it is required."""
    required = schema.get("required", ())
    for name, declared in schema.get("properties", {}).items():
        yield name, declared, name in required


def type_of(declared: Schema) -> str:
    """The type in words: "list of Change", "text or whole number"."""
    if "$ref" in declared:
        return str(declared["$ref"]).rpartition("/")[2]
    if "const" in declared:
        return f"`{_json(declared['const'])}`"
    if "enum" in declared:
        return " or ".join(f"`{_json(value)}`" for value in declared["enum"])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in declared:
            kinds = [type_of(each) for each in declared[choice] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kinds))
    kind = declared.get("type")
    if kind == "array":
        return f"list of {type_of(declared['items'])}" if declared.get("items") else "list"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    return names.get(str(kind), str(kind)) if kind else "anything"


def limits_of(declared: Schema) -> str:
    """The limits in words, those of its choices and entries included."""
    found = [words.format(declared[name]) for name, words in LIMITS.items() if name in declared]
    for choice in ("anyOf", "oneOf", "allOf"):
        found += [limits_of(each) for each in declared.get(choice, ())]
    items = declared.get("items")
    if isinstance(items, dict) and limits_of(items):
        found.append(f"each {limits_of(items)}")
    return ", ".join(dict.fromkeys(limit for limit in found if limit))


def default_of(declared: Schema) -> str:
    """The default as JSON; empty where there is none."""
    value = declared.get("default")
    return "" if value is None else f"`{_json(value)}`"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()

"""How single values a client sends become the values OrderDesk keeps: text, numbers, maps, sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from harness.sandbox.errors import RefusedError

Record = dict[str, Any]

LARGEST = 1e15
NUMBERS = (int, float)


def text(body: Mapping[str, Any], name: str) -> str:
    """A field as text; left out or null it is blank. Raises RefusedError for a map or a list."""
    value = body.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise RefusedError(f"Invalid {name}")
    return "" if value is None else str(value)


def number(body: Mapping[str, Any], name: str) -> float:
    """A field as a number, numeric text included; left out, null or blank it is 0. Raises RefusedError otherwise."""
    value = body.get(name)
    if value is None or value == "":
        return 0
    if isinstance(value, str):
        try:
            value = int(value) if value.lstrip("-").isdecimal() else float(value)
        except ValueError:
            value = None
    # "nan" is refused too, being neither: it and infinity have no JSON form and could never be shown.
    if isinstance(value, NUMBERS) and not isinstance(value, bool) and -LARGEST < value < LARGEST:
        return value
    raise RefusedError(f"Invalid {name}")


def mapping(body: Mapping[str, Any], name: str, *, longest: int | None = None) -> Any:
    """A map as given, or `[]` when it is empty or left out: OrderDesk writes an empty map as an empty list.

    Raises RefusedError for anything else, and for one whose JSON has more than `longest` characters.
    """
    value = body.get(name)
    if not value:
        return []
    if not isinstance(value, dict):
        raise RefusedError(f"Invalid {name}")
    require_length(name, value, longest)
    return empty_maps_as_lists(value)


def records(body: Mapping[str, Any], name: str) -> Sequence[Record]:
    """A list of maps; left out it is empty. Raises RefusedError when it is anything else."""
    value = body.get(name)
    if not value:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise RefusedError(f"Invalid {name}")
    return value


def require_length(name: str, value: Any, longest: int | None) -> None:
    """Raises RefusedError when the JSON of a value has more than `longest` characters."""
    if longest is not None and len(orjson.dumps(value).decode()) > longest:
        raise RefusedError(f"{name} may have at most {longest} characters")


def empty_maps_as_lists(value: Any) -> Any:
    """The same value with each empty map, at any depth, written as OrderDesk writes it: `[]`."""
    if isinstance(value, dict):
        return {name: empty_maps_as_lists(inner) for name, inner in value.items()} or []
    if isinstance(value, list):
        return [empty_maps_as_lists(inner) for inner in value]
    return value

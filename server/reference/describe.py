"""What a setting may be, in words, from its declaration."""

from __future__ import annotations

from typing import Final, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from server.environments import default_of
from server.rules import KEY_HINT
from server.settings import SECRET_SETTINGS, Settings, file_variable

UNITS: Final = {"seconds": "seconds", "bytes": "bytes", "days": "days", "rpm": "per minute", "hour": "per hour"}
SECRET_COMMANDS: Final = {"master_key": KEY_HINT, "admin_token": KEY_HINT}


def meaning(name: str) -> str:
    """What a setting is for, as a sentence."""
    return f"{Settings.model_fields[name].description}."


def allowed(name: str) -> str:
    """The values that a setting takes and their unit: "a whole number of seconds, at least 1, at most 600"."""
    field = Settings.model_fields[name]
    kind = field.annotation
    if name in SECRET_SETTINGS:
        return f"a secret; or {file_variable(name)}, a file that holds it"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if kind is bool:
        return "true or false"
    if get_origin(kind) is tuple:
        return "a list with commas"
    words = {int: "a whole number", float: "a number"}.get(kind, "a text") if isinstance(kind, type) else "a text"
    unit = UNITS.get(name.rpartition("_")[2])
    if unit is not None:
        words += f" {unit}" if unit.startswith("per") else f" of {unit}"
    return ", ".join([words, *(_bound(limit) for limit in field.metadata if isinstance(limit, Ge | Gt | Le | Lt))])


def _bound(limit: Ge | Gt | Le | Lt) -> str:
    for name, word in (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than")):
        if hasattr(limit, name):
            return f"{word} {getattr(limit, name)}"
    raise TypeError(limit)


def shown_default(name: str) -> str:
    """A setting's default for people: "(required)" and "(none)" where there is nothing to show."""
    if Settings.model_fields[name].is_required():
        return "(required)"
    return default_of(name) or "(none)"

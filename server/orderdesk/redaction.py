"""Telling which of a store's settings are secrets: they are dropped before anything is kept or shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

# In a name, whatever stands around it: which settings there are is not documented, so one too many is dropped rather
# than one too few.
MARKS: Final = (
    *("key", "pass", "pwd", "secret", "token", "credential", "cred_", "auth", "private", "signature", "signing"),
    *("certificate", "bearer", "session", "cookie", "hash", "salt", "dsn", "webhook"),
)
# Words of their own: as a part of another they mean something else (shipping has a pin in it).
WORDS: Final = frozenset({"pin", "sig", "cert", "pw", "jwt", "hmac", "otp", "creds"})
WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
URL_WITH_PASSWORD: Final = re.compile(r"://[^/\s@]*:[^/\s@]*@")
URL_WITH_QUERY_SECRET: Final = re.compile(r"[?&]([^=&\s]+)=")
# A setting may also be written as a pair: {"name": "smtp_password", "value": "…"}.
VALUE_NAMES: Final = frozenset({"value", "val", "data", "content"})


def without_secrets(value: Any) -> Any:
    """The same JSON without what looks like a secret: members by their names, texts that hold a URL with a password.

    Settings that are JSON inside a text are looked into as well.
    """
    if isinstance(value, Mapping):
        return {name: without_secrets(part) for name, part in value.items() if _may_show(value, name, part)}
    if isinstance(value, list):
        return [without_secrets(part) for part in value if not _is_secret_text(part)]
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        return _without_inner_secrets(value)
    return value


def is_secret_name(name: str) -> bool:
    """Whether a setting of that name looks like a secret."""
    folded = name.casefold()
    return any(mark in folded for mark in MARKS) or any(word.casefold() in WORDS for word in WORD.findall(name))


def _may_show(whole: Mapping[str, Any], name: str, part: object) -> bool:
    if is_secret_name(name) or _is_secret_text(part):
        return False
    return name.casefold() not in VALUE_NAMES or not any(
        isinstance(other, str) and is_secret_name(other) for key, other in whole.items() if key != name
    )


def _is_secret_text(value: object) -> bool:
    return isinstance(value, str) and (
        URL_WITH_PASSWORD.search(value) is not None
        or any(is_secret_name(name) for name in URL_WITH_QUERY_SECRET.findall(value))
    )


def _without_inner_secrets(text: str) -> str:
    try:
        inner = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    kept = without_secrets(inner)
    return text if kept == inner else orjson.dumps(kept).decode()

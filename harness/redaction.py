"""Keep secrets, and text that cannot be written down, out of run records: they are published."""

import re
from collections.abc import Mapping

from pydantic import JsonValue

REDACTED = "[redacted]"
_SECRET_WORDS = frozenset(
    ("authorization", "cookie", "credential", "credentials", "key", "keys", "passphrase", "password", "secret", "token")
)
# `token_file` and `token_variable` say where a secret is, not what it is.
_REFERENCE_WORDS = frozenset(("env", "file", "id", "name", "path", "variable"))
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")

# All control characters but tab and line feed: they move an operator's cursor, and XML cannot hold them. And what
# turns the direction of the text that follows, or ends a line where only some programs see it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]+@")
_QUERY_SECRET = re.compile(
    r"(?i)(?<=[?&])((?:[\w-]*[_-])?(?:token|key|secret|password|signature)=)(?!\[redacted\])[^&#\s'\"]+"
)
_HEADER_SECRET = re.compile(r"(?i)\b(bearer|basic)\s+(?!\[redacted\])[\w.~+/=-]{8,}")


def clean_text(text: str) -> str:
    """`text` without credentials in URLs, secret query values, Authorization values and control characters.

    What cannot be written down (a lone surrogate, a control character) becomes a replacement character.
    """
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.encode("utf-8", "replace").decode("utf-8"))
    text = _URL_CREDENTIALS.sub(f"{REDACTED}@", text)
    text = _QUERY_SECRET.sub(rf"\g<1>{REDACTED}", text)
    return _HEADER_SECRET.sub(rf"\g<1> {REDACTED}", text)


def redact_arguments(arguments: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A job's arguments with every value replaced whose name says that it is a secret, at any depth."""
    return {
        name: REDACTED if value is not None and _names_a_secret(name) else _redact(value)
        for name, value in arguments.items()
    }


def _redact(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return redact_arguments(value)
    if isinstance(value, list):
        return [_redact(item) for item in value]
    return clean_text(value) if isinstance(value, str) else value


def _names_a_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    return bool(_SECRET_WORDS.intersection(words)) and words[-1] not in _REFERENCE_WORDS

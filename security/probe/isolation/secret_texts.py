"""What gives a secret away in an answer: the secret itself, however it is written, or a member named like one."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping

from security.probe.isolation.private import members, read

LEAST_LENGTH = 8
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|-")
NAMED = re.compile(
    r"(?:.*_)?(?:api_?key|apikey|pass(?:word|wd|phrase)|secret|credentials?"
    r"|(?:access|auth|admin|bearer|refresh|api)_?token"
    r"|(?:access|secret|private|signing|encryption|master|admin)_?key)|token",
    re.IGNORECASE,
)
"""Names of members that hold a secret; not those of cursors, of idempotency, or of keys that are public."""
MASKED = re.compile(r"\*\*|••|…|\.\.\.|xxx|redacted|hidden|masked|<.*>|\[.*\]", re.IGNORECASE)
WORD = re.compile(r"[A-Z]?[a-z]*")
"""Such as "required": a word tells how things are."""


def told(text: str, hidden: Mapping[str, str]) -> list[str]:
    """What of `hidden`, secrets by what they are, stands in a text: as it is, in base64, or in hexadecimal."""
    folded = text.casefold()
    return [
        what
        for what, secret in hidden.items()
        if len(secret) >= LEAST_LENGTH and any(form.casefold() in folded for form in _forms(secret))
    ]


def named(answer: str) -> list[str]:
    """The names of the members of an answer in JSON that are named like secrets, and hold what may be one."""
    return names_among(members(read(answer), ""))


def names_among(values: Iterable[tuple[str, str]]) -> list[str]:
    """Those names, of members and their values."""
    return sorted({name for name, value in values if is_named(name) and _may_be_secret(value)})


def is_named(name: str) -> bool:
    """Whether a member of this name holds a secret."""
    return NAMED.fullmatch(CAMEL.sub("_", name)) is not None


def _may_be_secret(value: str) -> bool:
    return len(value) >= LEAST_LENGTH and not (MASKED.search(value) or WORD.fullmatch(value))


def _forms(secret: str) -> Iterator[str]:
    content = secret.encode("utf-8", "replace")
    yield secret
    yield base64.b64encode(content).decode().rstrip("=")
    yield base64.urlsafe_b64encode(content).decode().rstrip("=")
    yield content.hex()
